// The presence functions of Phoenix's own JavaScript client, on what the agent lists and tells.

import { strict as assert } from 'node:assert';
import { createRequire } from 'node:module';
import { check, run, soon } from './check.mjs';
import { events } from './events.mjs';

const { Presence } = createRequire(import.meta.url)('phoenix');
const topic = (url) => `${url}/v1/maps/chat/presences/lobby`;
const [here, peer] = [process.env.BATON_URL, process.env.BATON_URL_PEER];

/** What a watch tells of presences, one by one. */
async function* presences(url) {
  for await (const { kind, data } of events(url)) {
    if (kind === 'presence') yield data;
  }
}

const track = async (url, who, meta) => {
  const reply = await fetch(`${topic(url)}/${who}`, { method: 'PUT', body: JSON.stringify(meta) });
  assert(reply.ok, await reply.text());
};
const untrack = async (url, who) => assert((await fetch(`${topic(url)}/${who}`, { method: 'DELETE' })).ok);

check('syncState and syncDiff show who is there as the agent says', async () => {
  await track(here, 'ann?ref=tab', { name: 'Ann' });
  let state = {};
  const diffs = presences(`${peer}/v1/watch?map=chat&prefix=lobby&events=presence`);
  const next = diffs.next();
  await soon(async () => {
    const list = await (await fetch(topic(peer))).json();
    state = Presence.syncState({}, list.presences);
    return Presence.list(state).length === 1;
  }, 'the other pod does not know of her');
  const names = (who) => (state[who]?.metas ?? []).map((meta) => meta.name).join();
  const following = (async () => {
    for (let diff = await next; ; diff = await diffs.next()) {
      state = Presence.syncDiff(state, diff.value);
      if (names('ann') === '' && names('bob') === 'Bobby') return;
    }
  })();
  await track(here, 'ann?ref=phone', { name: 'Ann' });
  await track(here, 'bob?ref=tab', { name: 'Bob' });
  await track(here, 'bob?ref=tab', { name: 'Bobby' });
  await untrack(here, 'ann?ref=tab');
  await untrack(here, 'ann?ref=phone');
  await following;
  assert.deepEqual(Object.keys(state), ['bob']);
  assert.equal(state.bob.metas.length, 1);
});

await run('phoenix');
