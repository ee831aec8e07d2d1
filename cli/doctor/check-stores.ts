import { statfs } from 'node:fs/promises';
import { formatBytes } from '../../sdk/bytes.js';
import { openArtifactStore } from '../../store/open-artifact-store.js';
import { openCatalog } from '../../store/open-catalog.js';
import type { Check } from './check.js';
import { fail, ok, warn } from './check.js';

export const catalogCheck: Check = {
  name: 'catalog',
  async look({ catalog: url }) {
    await using catalog = await openCatalog(url);
    const runs = await catalog.runs({ limit: 1 });
    const newest = runs[0];
    return ok(`${catalog.location}${newest ? `, newest run ${newest.id}` : ', no runs yet'}`);
  },
};

export const storeCheck: Check = {
  name: 'artifacts',
  async look(config) {
    const store = await openArtifactStore(config.store, { ...config, patienceMs });
    // Always the same bytes: the store keeps them once, however often this is asked.
    const stored = await store.putBytes('millrace doctor\n');
    return (await store.has(stored))
      ? ok(store.location)
      : fail(`${store.location} does not give back what it took`, 'Look at the disk it lies on.');
  },
};

/** How long a store that does not answer is waited for: who asks the doctor sits in front of it. */
const patienceMs = 5_000;

const tight = 10 * 2 ** 30;
const tooLittle = 2 ** 30;

export const diskCheck: Check = {
  name: 'disk',
  async look({ stateDir }) {
    const { bavail, bsize } = await statfs(stateDir);
    const free = bavail * bsize;
    const says = `${formatBytes(free)} free for ${stateDir}`;
    const todo = 'Make room, or move `stateDir`: artifacts, logs and environments lie there.';
    if (free < tooLittle) return fail(says, todo);
    return free < tight ? warn(says, todo) : ok(says);
  },
};
