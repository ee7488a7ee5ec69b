// A chat whose people do not leave when its pods are replaced: Node alone, and the agent's HTTP API.
//
// Each open page is a presence, which ends with this process's session at the agent. It lingers for as long as pages take to
// connect to another pod. So a rollout shows nobody leaving.

import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';

const agent = process.env.BATON_URL ?? 'http://127.0.0.1:7070';
const room = `${agent}/v1/maps/chat/presences/lobby`;
const messages = `${agent}/v1/maps/messages/entries`;
const session = randomUUID();
const page = readFileSync(new URL('page.html', import.meta.url));

const pages = new Set();
const send = (out, event, data) => out.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);

/** Server-sent events, one by one. */
async function* events(body) {
  let text = '';
  for await (const chunk of body.pipeThrough(new TextDecoderStream())) {
    const blocks = (text += chunk).split('\n\n');
    text = blocks.pop();
    for (const block of blocks) {
      const field = (name) => block.split('\n').find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2);
      if (field('event')) yield { kind: field('event'), data: JSON.parse(field('data')) };
    }
  }
}

/** Follows what changes, and holds the session open meanwhile. */
async function follow(started) {
  for (;;) {
    try {
      const watch = await fetch(`${agent}/v1/watch?events=presence,change&session=${session}`);
      for await (const { kind, data } of events(watch.body)) {
        if (kind === 'start') started();
        if (kind === 'presence') for (const out of pages) send(out, 'diff', data);
        if (kind === 'change' && data.map === 'messages' && data.new) for (const out of pages) send(out, 'message', data.new.json);
        if (kind === 'resync') for (const out of pages) out.end();
      }
    } catch (error) {
      console.error(`the agent does not answer: ${error.message}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}

const everybody = async () => {
  const presences = {};
  for (let cursor = ''; cursor !== null; ) {
    const list = await (await fetch(`${room}?limit=1000${cursor && `&cursor=${cursor}`}`)).json();
    for (const [name, { metas }] of Object.entries(list.presences)) {
      presences[name] = { metas: [...(presences[name]?.metas ?? []), ...metas] };
    }
    cursor = list.cursor;
  }
  return presences;
};

const latest = async () => {
  const list = await (await fetch(`${messages}?order=desc&limit=20&values=plain`)).json();
  return list.entries.map((entry) => entry.json).reverse();
};

/** Somebody's page: it is there while the connection is, and a little longer if this pod ends first. */
const join = async (query, out) => {
  const [name, tab] = [query.get('name') || 'nobody', query.get('tab') || randomUUID()];
  const seat = `${room}/${encodeURIComponent(name)}?ref=${tab}&session=${session}`;
  const said = await fetch(`${seat}&linger=15s`, { method: 'PUT', body: JSON.stringify({ since: Date.now() }) });
  if (!said.ok) return out.writeHead(503).end();
  out.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
  pages.add(out);
  send(out, 'state', await everybody());
  for (const message of await latest()) send(out, 'message', message);
  out.on('close', () => {
    pages.delete(out);
    if (!ending) fetch(seat, { method: 'DELETE' }).catch(() => {});
  });
};

const say = async (request, out) => {
  let text = '';
  for await (const chunk of request) text += chunk;
  const key = `${Date.now()}-${randomUUID()}`;
  const headers = { 'content-type': 'application/json' };
  const said = await fetch(`${messages}/${key}?ttl=1h`, { method: 'PUT', headers, body: text });
  out.writeHead(said.ok ? 204 : 503).end();
};

let ending = false;
process.on('SIGTERM', () => {
  // Their pages connect to another pod: they have not left.
  ending = true;
  process.exit(0);
});

await new Promise(follow);
createServer(async (request, out) => {
  const url = new URL(request.url, 'http://pod');
  try {
    if (url.pathname === '/events') await join(url.searchParams, out);
    else if (url.pathname === '/messages') await say(request, out);
    else if (url.pathname === '/healthz') out.end();
    else out.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end(page);
  } catch {
    out.writeHead(503).end();
  }
}).listen(Number(process.env.PORT ?? 8080));
