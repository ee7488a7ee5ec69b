// Checks, one after the other: each is named by a sentence, and one that fails ends no other.

import { strict as assert } from 'node:assert';
import { setTimeout as sleep } from 'node:timers/promises';
import { existsSync, readFileSync } from 'node:fs';

const checks = [];

export const check = (name, body) => checks.push([name, body]);

/** Waits until something has come to the other pod. */
export const soon = async (holds, what) => {
  const deadline = Date.now() + 30_000;
  while (!(await holds())) {
    assert(Date.now() < deadline, what);
    await sleep(10);
  }
};

/** That of the library; of an example, that of the program that plays with it. */
const version = (client) => {
  const list = new URL(`./node_modules/${client}/package.json`, import.meta.url);
  return existsSync(list) ? JSON.parse(readFileSync(list)).version : process.version;
};

export const run = async (client) => {
  console.log(`client ${client === 'redis' ? 'node-redis' : client} ${version(client)}`);
  for (const [name, body] of checks) {
    try {
      const late = sleep(60_000, null, { ref: false }).then(() => Promise.reject(new Error('it takes too long')));
      await Promise.race([body(), late]);
      console.log(`ok ${name}`);
    } catch (error) {
      console.log(`not ok ${name}: ${String(error.message ?? error).split('\n')[0]}`);
    }
  }
  process.exit(0);
};
