// examples/chat: nobody leaves when a pod is replaced.

import { strict as assert } from 'node:assert';
import { check, run, soon } from './check.mjs';
import { events } from './events.mjs';
import { pods, replaceOldest } from './pod.mjs';

/** A page as a browser has it: it connects again when its pod has ended. */
const open = async (name, chats) => {
  const page = { online: {}, left: [], messages: [], connected: 0, closed: false };
  (async () => {
    while (!page.closed) {
      try {
        for await (const { kind, data } of events(`${chats[0].url}/events?name=${name}&tab=tab-${name}`)) {
          if (page.closed) break;
          if (kind === 'state') page.connected += 1;
          if (kind === 'state') page.online = data;
          if (kind === 'message') page.messages.push(data.text);
          if (kind !== 'diff') continue;
          for (const who of Object.keys(data.leaves)) if (!data.joins[who]) page.left.push(who);
          Object.assign(page.online, data.joins);
        }
      } catch {
        // Its pod has ended.
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  })();
  await soon(() => page.connected > 0, 'it does not connect');
  return page;
};

check('pages of both pods see each other, and nobody leaves while each pod is replaced', async () => {
  const chats = await pods();
  const ann = await open('ann', chats);
  const bob = await open('bob', [chats[1]]);
  await soon(() => ann.online.bob && bob.online.ann, 'they do not see each other');
  const message = JSON.stringify({ name: 'ann', text: 'hello' });
  assert.equal((await fetch(`${chats[0].url}/messages`, { method: 'POST', body: message })).status, 204);
  await soon(() => bob.messages.includes('hello'), 'the message does not come');
  await replaceOldest(chats);
  await soon(() => ann.connected > 1, 'ann does not connect again');
  const zoe = await open('zoe', [chats[1]]);
  await soon(() => ann.online.zoe && bob.online.zoe, 'they do not see who has come');
  assert.deepEqual([ann.left, bob.left], [[], []]);
  await soon(() => zoe.messages.includes('hello') && zoe.online.ann && zoe.online.bob, 'who is new sees less');
  ann.closed = bob.closed = zoe.closed = true;
});

await run('chat');
