// examples/sessions: a game goes on where another pod is, and on one alone.

import { strict as assert } from 'node:assert';
import { check, run, soon } from './check.mjs';
import { json, pods, replaceOldest } from './pod.mjs';

const GAMES = 8;

check('games of a pod that is replaced go on elsewhere, each on one pod, from where they were', async () => {
  const servers = await pods();
  for (let n = 0; n < GAMES; n += 1) {
    const started = await fetch(`${servers[0].url}/games/chess-${n}`, { method: 'POST' });
    assert.equal(started.status, 201);
  }
  assert.equal((await fetch(`${servers[1].url}/games/chess-0`, { method: 'POST' })).status, 412);
  let before = {};
  const moved = (games) => Object.values(games).filter((moves) => moves >= 3).length === GAMES;
  await soon(async () => moved((before = await json(`${servers[0].url}/games`))), 'the games do not begin');
  await replaceOldest(servers);
  const tables = () => Promise.all(servers.map(({ url }) => json(`${url}/games`)));
  await soon(async () => (await tables()).flatMap(Object.keys).length === GAMES, 'not each runs on one pod');
  const first = Object.assign({}, ...(await tables()));
  for (const [id, moves] of Object.entries(before)) assert(first[id] >= moves, `${id} went back to ${first[id]}`);
  await soon(async () => {
    const now = Object.assign({}, ...(await tables()));
    return Object.keys(first).every((id) => now[id] > first[id] + 2);
  }, 'they do not go on');
  assert.equal((await tables()).flatMap(Object.keys).length, GAMES);
});

await run('sessions');
