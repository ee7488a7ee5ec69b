// node-redis with its default settings.

import { strict as assert } from 'node:assert';
import { createClient, WatchError } from 'redis';
import { check, run, soon } from './check.mjs';

const connect = async (url) => createClient({ url }).on('error', () => {}).connect();
const [here, peer] = [await connect(process.env.BATON_REDIS), await connect(process.env.BATON_REDIS_PEER)];

check('strings are kept with their deadlines on both pods', async () => {
  assert.equal(await here.set('no:ann', 'apple', { EX: 100 }), 'OK');
  assert.equal(await here.set('no:ann', 'pear', { NX: true }), null);
  await soon(async () => (await peer.get('no:ann')) === 'apple', 'the other pod has not got it');
  assert((await peer.ttl('no:ann')) >= 98);
  await here.mSet([['no:a', '1'], ['no:b', '2']]);
  assert.deepEqual(await here.mGet(['no:a', 'no:b', 'no:c']), ['1', '2', null]);
});

check('additions count', async () => {
  assert.equal(await here.incr('no:n'), 1);
  assert.equal(await here.incrBy('no:n', 41), 42);
  await soon(async () => (await peer.get('no:n')) === '42', 'the sum has not come');
});

check('hashes, sets and sorted sets hold what they are given', async () => {
  await here.hSet('no:cart', { apple: 2, pear: 1 });
  assert.deepEqual({ ...(await here.hGetAll('no:cart')) }, { apple: '2', pear: '1' });
  assert.equal(await here.sAdd('no:tags', ['a', 'b']), 2);
  assert.deepEqual([...(await here.sMembers('no:tags'))].sort(), ['a', 'b']);
  await here.zAdd('no:board', [{ score: 3, value: 'ann' }, { score: 1.5, value: 'bob' }]);
  assert.deepEqual(await here.zRange('no:board', 0, -1), ['bob', 'ann']);
});

check('a pipeline and a transaction answer in order', async () => {
  const piped = await Promise.all([here.set('no:p', '1'), here.incr('no:p'), here.get('no:p')]);
  assert.deepEqual(piped, ['OK', 2, '2']);
  assert.deepEqual(await here.multi().set('no:p', '5').incr('no:p').exec(), ['OK', 6]);
});

check('a watched key that changes ends the transaction', async () => {
  const other = await connect(process.env.BATON_REDIS);
  await here.watch('no:w');
  await other.set('no:w', '2');
  await assert.rejects(here.multi().set('no:w', '3').exec(), WatchError);
  await other.close();
});

check('messages reach subscribers of the other pod', async () => {
  const listener = await connect(process.env.BATON_REDIS_PEER);
  const message = new Promise((resolve, reject) => listener.subscribe('no-news', resolve).then(async () => {
    await here.publish('no-news', 'hello');
  }, reject));
  assert.equal(await message, 'hello');
  await listener.unsubscribe('no-news');
  await listener.close();
});

check('a scan yields each key once', async () => {
  await here.mSet(Array.from({ length: 200 }, (_, n) => [`no:scan:${n}`, String(n)]));
  const found = [];
  for await (const keys of here.scanIterator({ MATCH: 'no:scan:*', COUNT: 17 })) found.push(...[keys].flat());
  assert.equal(found.length, 200);
  assert.equal(new Set(found).size, 200);
});

check('what cannot be kept is refused in words', async () => {
  await assert.rejects(here.lPush('no:list', '1'), /not supported/);
  await assert.rejects(here.hSet('no:ann', 'field', '1'), /WRONGTYPE/);
});

await run('redis');
