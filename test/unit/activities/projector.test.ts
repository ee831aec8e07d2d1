import path from 'node:path';
import pino from 'pino';
import type { Projector } from '../../../activities/projector.js';
import { createProjector } from '../../../activities/projector.js';
import type { Catalog, ProjectedRows } from '../../../store/catalog.js';
import { openCatalog } from '../../../store/open-catalog.js';
import { releaseAtEnd } from '../../support/release-at-end.js';
import { temporaryFolder } from '../../support/temporary-folder.js';
import { waitFor } from '../../support/wait-for.js';
import { aMetric, anAttempt, aRun, aStep } from '../store/records.js';

const logger = pino({ level: 'silent' });

/** A real catalog whose writes are counted and can be made to fail. */
async function projecting(delayMs: number) {
  const catalog = await openCatalog(`sqlite:${path.join(await temporaryFolder(), 'catalog.db')}`);
  releaseAtEnd(() => catalog[Symbol.asyncDispose]());
  await catalog.insertRun(aRun());
  const writes: ProjectedRows[] = [];
  const state = { failing: false, tries: 0, ended: false };
  // A test that fails must not leave a writer that tries for ever.
  releaseAtEnd(() => (state.ended = true));
  const watched: Catalog = Object.assign(Object.create(catalog) as Catalog, {
    async project(rows: ProjectedRows) {
      state.tries += 1;
      if (state.ended) return;
      // The second write would go through: it must wait behind the first all the same.
      if (state.failing && rows.steps?.[0]?.detail === 'first') throw new Error('database is locked');
      writes.push(rows);
      await catalog.project(rows);
    },
  });
  const projector: Projector = createProjector(watched, { logger, delayMs });
  return { catalog, projector, writes, state };
}

test('rows that come together are written together, and soon', async () => {
  const { catalog, projector, writes } = await projecting(20);
  projector.add({ steps: [aStep()] });
  projector.add({ attempts: [anAttempt()], metrics: [aMetric({ value: 1 })] });
  projector.add({ metrics: [aMetric({ value: 2 })] });
  expect(writes).toHaveLength(0);
  await waitFor(() => writes.length === 1);
  expect(writes).toMatchObject([
    { steps: [{ path: 'train' }], attempts: [{ attempt: 1 }], metrics: [{ value: 1 }, { value: 2 }] },
  ]);
  await projector.flush();
  expect(await catalog.steps('run-1')).toMatchObject([{ path: 'train', status: 'running' }]);
  expect((await catalog.metrics('run-1')).map(({ value }) => value)).toEqual([1, 2]);
});

test('a flush waits for every row taken so far, also those being written', async () => {
  const { catalog, projector } = await projecting(60_000);
  projector.add({ steps: [aStep({ path: 'a' })] });
  void projector.flush();
  projector.add({ steps: [aStep({ path: 'b' })] });
  await projector.flush();
  expect((await catalog.steps('run-1')).map(({ path: step }) => step).sort()).toEqual(['a', 'b']);
});

test('a flush with nothing to write writes nothing', async () => {
  const { projector, writes } = await projecting(10);
  await projector.flush();
  expect(writes).toEqual([]);
});

test('while the catalog fails rows are kept, and then written in the order they came', async () => {
  const { catalog, projector, writes, state } = await projecting(5);
  state.failing = true;
  projector.add({ steps: [aStep({ status: 'running', detail: 'first' })], attempts: [anAttempt()] });
  await waitFor(() => state.tries > 0);
  projector.add({ steps: [aStep({ status: 'completed', detail: 'second' })] });
  let flushed = false;
  const flushing = projector.flush().then(() => (flushed = true));
  await waitFor(() => state.tries > 1);
  expect(flushed).toBe(false);
  state.failing = false;
  await flushing;
  expect(writes.flatMap(({ steps = [] }) => steps.map(({ detail }) => detail))).toEqual(['first', 'second']);
  expect(await catalog.steps('run-1')).toMatchObject([{ status: 'completed', detail: 'second' }]);
  expect(await catalog.attempts('run-1')).toHaveLength(1);
});

test('disposing writes what is left', async () => {
  const { catalog, projector } = await projecting(60_000);
  projector.add({ steps: [aStep()] });
  await projector[Symbol.asyncDispose]();
  expect(await catalog.steps('run-1')).toHaveLength(1);
});

test('a row that can never be written is left out, alone or among others, which are written', async () => {
  const { catalog, projector } = await projecting(5);
  projector.add({ steps: [aStep({ path: 'a' })], metrics: [aMetric({ value: Number.NaN })] });
  await projector.flush();
  projector.add({ metrics: [aMetric({ value: Number.NaN })] });
  await projector.flush();
  projector.add({ steps: [aStep({ path: 'b' })] });
  await projector.flush();
  expect((await catalog.steps('run-1')).map(({ path: step }) => step).sort()).toEqual(['a', 'b']);
  expect(await catalog.metrics('run-1')).toEqual([]);
});

test('at its end it says that the catalog stays broken, to whoever ends it and to nobody else', async () => {
  const { projector, state } = await projecting(5);
  state.failing = true;
  const unhandled: unknown[] = [];
  const listen = (error: unknown) => unhandled.push(error);
  process.on('unhandledRejection', listen);
  try {
    const ended = projector[Symbol.asyncDispose]();
    await ended;
    // A step that ends late still tells what became of it.
    projector.add({ steps: [aStep({ detail: 'first' })] });
    await waitFor(() => state.tries > 4, { what: 'the projector to give the rows up' });
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(unhandled).toEqual([]);
    await expect(projector.flush()).rejects.toThrow('database is locked');
  } finally {
    process.off('unhandledRejection', listen);
  }
});
