// ioredis with its default settings.

import { strict as assert } from 'node:assert';
import { once } from 'node:events';
import * as library from 'ioredis';
import { check, run, soon } from './check.mjs';

const Redis = library.Redis ?? library.default;
const [here, peer] = [new Redis(process.env.BATON_REDIS), new Redis(process.env.BATON_REDIS_PEER)];

check('strings are kept with their deadlines on both pods', async () => {
  assert.equal(await here.set('io:ann', 'apple', 'EX', 100), 'OK');
  assert.equal(await here.set('io:ann', 'pear', 'NX'), null);
  await soon(async () => (await peer.get('io:ann')) === 'apple', 'the other pod has not got it');
  assert((await peer.ttl('io:ann')) >= 98);
  await here.mset({ 'io:a': 1, 'io:b': 2 });
  assert.deepEqual(await here.mget('io:a', 'io:b', 'io:c'), ['1', '2', null]);
});

check('additions count', async () => {
  assert.equal(await here.incr('io:n'), 1);
  assert.equal(await here.incrby('io:n', 41), 42);
  await soon(async () => (await peer.get('io:n')) === '42', 'the sum has not come');
});

check('hashes, sets and sorted sets hold what they are given', async () => {
  await here.hset('io:cart', { apple: 2, pear: 1 });
  assert.deepEqual({ ...(await here.hgetall('io:cart')) }, { apple: '2', pear: '1' });
  assert.equal(await here.sadd('io:tags', 'a', 'b'), 2);
  assert.deepEqual((await here.smembers('io:tags')).sort(), ['a', 'b']);
  await here.zadd('io:board', 3, 'ann', 1.5, 'bob');
  assert.deepEqual((await here.zrange('io:board', 0, -1)), ['bob', 'ann']);
});

check('a pipeline and a transaction answer in order', async () => {
  const piped = await here.pipeline().set('io:p', 1).incr('io:p').get('io:p').exec();
  assert.deepEqual(piped, [[null, 'OK'], [null, 2], [null, '2']]);
  const done = await here.multi().set('io:p', 5).incr('io:p').exec();
  assert.deepEqual(done, [[null, 'OK'], [null, 6]]);
});

check('a watched key that changes ends the transaction', async () => {
  const other = here.duplicate();
  await here.watch('io:w');
  await other.set('io:w', 2);
  assert.equal(await here.multi().set('io:w', 3).exec(), null);
  other.disconnect();
});

check('messages reach subscribers of the other pod', async () => {
  const listener = peer.duplicate();
  await listener.subscribe('io-news');
  const message = once(listener, 'message');
  await here.publish('io-news', 'hello');
  assert.deepEqual(await message, ['io-news', 'hello']);
  listener.disconnect();
});

check('a scan yields each key once', async () => {
  await here.mset(Object.fromEntries(Array.from({ length: 200 }, (_, n) => [`io:scan:${n}`, n])));
  const found = [];
  for await (const keys of here.scanStream({ match: 'io:scan:*', count: 17 })) found.push(...keys);
  assert.equal(found.length, 200);
  assert.equal(new Set(found).size, 200);
});

check('what cannot be kept is refused in words', async () => {
  await assert.rejects(here.lpush('io:list', 1), /not supported/);
  await assert.rejects(here.hset('io:ann', 'field', 1), /WRONGTYPE/);
});

await run('ioredis');
