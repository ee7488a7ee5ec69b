// Pods of an example: an app beside an agent, and a rollout that replaces the oldest.

import { strict as assert } from 'node:assert';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { createInterface } from 'node:readline';
import { soon } from './check.mjs';

const answers = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

/** Asks whoever has started this program for something about agents. */
const ask = async (what) => {
  console.log(what);
  return (await answers.next()).value;
};

const freePort = async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  return port;
};

const apps = new Set();
process.on('exit', () => apps.forEach((app) => app.kill('SIGKILL')));

/** Starts the app beside an agent; it ends with this program. */
export const start = async (agent) => {
  const port = await freePort();
  const [program, ...words] = process.env.APP.split(' ');
  const stdio = ['ignore', 'ignore', 'inherit'];
  const app = spawn(program, words, { env: { ...process.env, ...agent, PORT: port }, stdio });
  apps.add(app);
  const url = `http://127.0.0.1:${port}`;
  const healthy = async () => (await fetch(`${url}/healthz`).catch(() => ({ ok: false }))).ok;
  await soon(healthy, 'the app does not answer');
  return { url, app };
};

const { BATON_URL, BATON_REDIS, BATON_URL_PEER, BATON_REDIS_PEER } = process.env;

/** The two pods that are there at first. */
export const pods = async () => [
  await start({ BATON_URL, BATON_REDIS }),
  await start({ BATON_URL: BATON_URL_PEER, BATON_REDIS: BATON_REDIS_PEER }),
];

/** Replaces the oldest pod as a rollout does: the new one first. `held` is called while the old one is told to end. */
export const replaceOldest = async (pods, held = async () => {}) => {
  const agent = Object.fromEntries((await ask('add')).split(' ').map((pair) => pair.split(/=(.*)/)));
  pods.push(await start(agent));
  await ask('hold');
  const [old] = pods.splice(0, 1);
  await held(old);
  old.app.kill('SIGTERM');
  if (old.app.exitCode === null && old.app.signalCode === null) await once(old.app, 'exit');
  await ask('end');
};

export const json = async (url, options) => {
  const reply = await fetch(url, options);
  assert(reply.ok, `${url} answers ${reply.status}`);
  return reply.json();
};
