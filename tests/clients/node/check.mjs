// Checks, one after the other: each is named by a sentence, and one that fails ends no other.

import { strict as assert } from 'node:assert';
import { setTimeout as sleep } from 'node:timers/promises';
import { readFileSync } from 'node:fs';

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

export const run = async (client) => {
  const root = new URL(`./node_modules/${client}/package.json`, import.meta.url);
  console.log(`client ${client === 'redis' ? 'node-redis' : client} ${JSON.parse(readFileSync(root)).version}`);
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
