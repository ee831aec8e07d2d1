import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import type { ArtifactRef } from '../../../sdk/artifact.js';
import { walkArtifacts } from '../../../sdk/artifact.js';
import { isStoredValue } from '../../../sdk/stored-value.js';
import type { GarbageReport } from '../../../store/collect-garbage.js';
import { openArtifactStore } from '../../../store/open-artifact-store.js';
import { openCatalog } from '../../../store/open-catalog.js';
import { describeWith } from '../../support/describe-with.js';
import { releaseAtEnd } from '../../support/release-at-end.js';
import { startMillrace } from '../../support/start-millrace.js';
import { temporaryFolder } from '../../support/temporary-folder.js';
import { startScript } from '../../unit/store/fork-script.js';

/**
 * A day of grace is made twelve seconds, and with it the hour in which content that is found again is not marked as new: all
 * else is as it is.
 */
jest.mock('../../../store/open-artifact-store.js', () => {
  const { blobArtifactStore } = jest.requireActual('../../../store/blob-artifact-store.js');
  const { openBlobFolder } = jest.requireActual('../../../store/blob-folder.js');
  return {
    openArtifactStore: async (url: string) =>
      blobArtifactStore(await openBlobFolder(url.slice('file:'.length), { touchAfterMs: 0 })),
  };
});
const graceMs = 12_000;
const olderThanMs = 4_000;
const forMs = 45_000;

const files = {
  'g.steps.ts': `
import { readFileSync, writeFileSync, mkdirSync } from 'node:fs';
import { dataset, model, step } from 'millrace';
import { z } from 'zod';
export const make = step({ name: 'make', isolation: 'none', input: z.object({ from: dataset(), n: z.number() }), output: z.object({ own: dataset(), tree: model(), text: z.string() }) },
  ({ from, n }, { out }) => {
    writeFileSync(out.own, readFileSync(from.path, 'utf8') + ' run ' + n);
    mkdirSync(out.tree);
    for (const name of ['a', 'b']) writeFileSync(out.tree + '/' + name, name + ' of the ' + n % 7);
    return { text: String(n).repeat(150_000) };
  });
export const use = step({ name: 'use', isolation: 'none', input: z.object({ own: dataset(), tree: model(), text: z.string() }), output: z.object({ copy: dataset(), length: z.number() }) },
  ({ own, tree, text }, { out }) => { writeFileSync(out.copy, readFileSync(own.path, 'utf8') + readFileSync(tree.path + '/a', 'utf8')); return { length: text.length }; });`,
  'g.pipeline.ts': `
import { pipeline, sleep } from 'millrace';
import { dataset } from 'millrace';
import { z } from 'zod';
import { make, use } from './g.steps.js';
export const work = pipeline({ name: 'work', input: z.object({ from: dataset(), n: z.number(), pause: z.number() }) }, async ({ from, n, pause }) => {
  const made = await make({ from, n });
  await sleep(pause);
  const used = await use(made);
  return { own: made.own, tree: made.tree, copy: used.copy, length: used.length };
});`,
};

describeWith({ temporal: true }, 'garbage collection beside running workers', () => {
  test('no run fails, every artifact of a kept run is whole, and killing it does no harm', async () => {
    const { client, config, project } = await startMillrace({ files, env: { MILLRACE_EXECUTOR: 'process' } });
    const store = await openArtifactStore(config.store);
    const collecting = collectForever(config, path.join(await temporaryFolder(), 'gc.cjs'));
    releaseAtEnd(collecting.stop);

    const end = Date.now() + forMs;
    let n = 0;
    const lane = async (pauseMs: number) => {
      while (Date.now() < end) {
        n += 1;
        // Content comes back now and then: unreachable, old, and then needed again.
        const input = path.join(project, `input-${n % 5}.txt`);
        await writeFile(input, `input ${n % 5}`);
        const from = await client.upload(input);
        const run = await client.start('work', { from, n, pause: pauseMs });
        const result = (await run.result()) as { readonly length: number };
        expect(result.length % 150_000).toBe(0);
        for (const ref of refsIn(result)) await store.verify(ref);
      }
    };
    // One lane's runs are longer than the grace time.
    await Promise.all([lane(10), lane(500), lane(graceMs + 5_000)]);
    const reports = await collecting.stop();

    const removed = reports.flatMap(({ runs }) => runs.removed);
    expect(n).toBeGreaterThan(20);
    expect(removed.length).toBeGreaterThan(5);
    expect(reports.reduce((sum, report) => sum + report.removed.blobs, 0)).toBeGreaterThan(5);
    expect(collecting.killed()).toBeGreaterThan(2);
    await using catalog = await openCatalog(config.catalog);
    const kept = await catalog.runs({ limit: 10_000 });
    expect(kept.length).toBeGreaterThan(0);
    for (const run of kept) {
      const view = await client.run(run.id).view({ values: true });
      expect(view.run.status).toBe('completed');
      for (const { artifact } of await catalog.artifacts(run.id)) await store.verify(artifact);
      expect(view.steps.some(({ output }) => isStoredValue(output))).toBe(false);
    }
    // What runs go by is there too: another run begins and ends.
    const again = await client.start('work', {
      from: await client.upload(path.join(project, 'input-1.txt')),
      n: 999,
      pause: 0,
    });
    await again.result();
  });
});

/** Collects garbage in another process, which is killed now and then, and started again. */
function collectForever(config: { readonly store: string; readonly catalog: string }, script: string) {
  const reports: GarbageReport[] = [];
  const stopping = new AbortController();
  let killed = 0;
  const ended = (async () => {
    while (!stopping.signal.aborted) {
      const child = await startScript('garbage-child.ts', script, [
        config.store,
        config.catalog,
        String(olderThanMs),
        String(graceMs),
      ]);
      const read = (async () => {
        for await (const line of createInterface({ input: child.stdout! }))
          if (line.endsWith('}')) reports.push(JSON.parse(line) as GarbageReport);
      })();
      const until = Date.now() + 2_000 + Math.random() * 4_000;
      while (!stopping.signal.aborted && Date.now() < until && child.exitCode === null) await pause(20);
      if (child.exitCode !== null) throw new Error(`garbage collection ended with ${child.exitCode}`);
      child.kill('SIGKILL');
      killed += 1;
      await read;
    }
  })();
  ended.catch(() => undefined);
  return {
    killed: () => killed,
    async stop() {
      stopping.abort();
      await ended;
      return reports;
    },
  };
}

function refsIn(value: unknown): readonly ArtifactRef[] {
  const found: ArtifactRef[] = [];
  walkArtifacts(value, (ref) => found.push(ref));
  return found;
}
