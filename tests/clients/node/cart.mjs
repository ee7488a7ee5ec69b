// examples/cart: carts outlive their pods.

import { strict as assert } from 'node:assert';
import { check, run, soon } from './check.mjs';
import { json, pods, replaceOldest } from './pod.mjs';

check('what two pods add to a cart at once all counts, and is there after both were replaced', async () => {
  const shops = await pods();
  const add = (shop, item) => json(`${shop.url}/carts/ann/${item}`, { method: 'POST' });
  await Promise.all(Array.from({ length: 40 }, (_, n) => add(shops[n % 2], n % 4 < 2 ? 'apple' : 'pear')));
  await add(shops[0], 'plum');
  await json(`${shops[0].url}/carts/ann/plum`, { method: 'DELETE' });
  await replaceOldest(shops);
  await replaceOldest(shops);
  for (const { url } of shops) {
    const cart = async () => JSON.stringify(await json(`${url}/carts/ann`));
    await soon(async () => (await cart()) === '{"apple": 20, "pear": 20}'.replaceAll(' ', ''), 'the cart is another');
  }
  assert.deepEqual(await json(`${shops[0].url}/carts/ann/apple?by=-20`, { method: 'POST' }), { apple: 0 });
  assert.deepEqual(await json(`${shops[0].url}/carts/ann`), { pear: 20 });
});

await run('cart');
