import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pino } from 'pino';
import { openLineageReceiver } from '../../../lineage/open-lineage/open-lineage-receiver.js';
import { openLineageRunId } from '../../../lineage/open-lineage/open-lineage-run-id.js';
import { sendOutbox } from '../../../outbox/send-outbox.js';
import type { StepSpec } from '../../../sdk/step-spec.js';
import type { Catalog } from '../../../store/catalog.js';
import { lineageServer } from '../../support/lineage-server.js';
import type { OpenLineageRunEvent } from '../../support/open-lineage-schema.js';
import { openLineageEvent } from '../../support/open-lineage-schema.js';
import { temporaryFolder } from '../../support/temporary-folder.js';
import { newCatalog } from '../client/catalog.js';
import { aBuild, aModel, anApproval, anAttempt, anEdge, aRef, aRun, aStep, at, aVersion, digest } from '../store/records.js'; // prettier-ignore

const csv = aRef({ name: 'table.csv' });
const model = aModel();
const trainSpec = { name: 'train', run: 'command', command: ['python3', 'train.py'], source: { digest: digest('c'), type: 'tree', size: 3 } } as unknown as StepSpec; // prettier-ignore

/** A run that trains on a table, registers the model and is approved; its sub-run fails. */
async function record(catalog: Catalog): Promise<void> {
  await catalog.publishBuild(aBuild({ steps: [trainSpec] }));
  await catalog.insertRun(aRun({ input: { csv, minAuc: 0.75 }, tags: { team: 'risk' } }));
  await catalog.project({
    steps: [aStep({ input: { table: csv, trees: 100 } })],
    attempts: [anAttempt({ image: digest('d') })],
  });
  await catalog.project({
    steps: [aStep({ status: 'completed', closedAt: at(7), output: { model, auc: 0.8 } })],
    attempts: [anAttempt({ status: 'completed', image: digest('d') })],
    artifacts: [
      anEdge({ direction: 'input', field: 'table', artifact: csv }),
      anEdge({ artifact: model }),
      anEdge({ field: 'copy', artifact: model }),
    ],
  });
  await catalog.registerVersion(aVersion());
  await catalog.project({
    steps: [
      aStep({ path: 'register', name: 'mortgage', kind: 'register', status: 'completed', closedAt: at(8) }),
    ],
    artifacts: [anEdge({ path: 'register', direction: 'input', artifact: model })],
  });
  await catalog.recordGate({ run: 'run-1', path: 'quality', outcome: { gate: 'quality', outcome: 'pass', checks: {} }, evidence: null, at: at(8) }); // prettier-ignore
  await catalog.openApproval(anApproval({ of: { name: 'mortgage', version: 1, model } }));
  await catalog.closeApproval({ run: 'run-1', path: 'release', status: 'approved', decision: { gate: 'release', decision: 'approved', by: 'ada', at: at(9) } }); // prettier-ignore
  await catalog.insertRun(
    aRun({ id: 'run-2', pipeline: 'sub', input: {}, parent: { run: 'run-1', path: 'sub' } }),
  );
  const failure = { code: 'STEP_FAILED', what: 'It failed.' };
  await catalog.project({
    steps: [
      aStep({ run: 'run-2', kind: 'fetch', path: 'fetchData', name: 'fetchData', status: 'completed', detail: 'https://data.example/a/table.csv?x=1' }),
      aStep({ run: 'run-2', status: 'failed', closedAt: at(9), failure }),
    ],
    artifacts: [anEdge({ run: 'run-2', path: 'fetchData', field: 'data', artifact: csv })],
    attempts: [anAttempt({ run: 'run-2', status: 'failed' })],
  }); // prettier-ignore
  await catalog.updateRun({ id: 'run-2', status: 'failed', closedAt: at(10), failure });
  await catalog.updateRun({ id: 'run-1', status: 'terminated', closedAt: at(11) });
}

describe('events of OpenLineage', () => {
  const logger = pino({ level: 'silent' });
  let catalog: Catalog;
  const receiver = (target: string, token?: () => Promise<string | undefined>) =>
    openLineageReceiver({ catalog, target, namespace: 'risk', version: '1.2.3', ...(token && { token }) });
  const send = (target: string, token?: () => Promise<string | undefined>) =>
    sendOutbox({ outbox: catalog.outbox, receiver: receiver(target, token), holder: 'me', logger, signal: new AbortController().signal }); // prettier-ignore

  beforeEach(async () => {
    catalog = await newCatalog();
    await catalog.outbox.subscribe('openlineage', ['lifecycle']);
    await record(catalog);
  });

  describe('on their way to a file', () => {
    let events: readonly OpenLineageRunEvent[];
    let file: string;
    beforeEach(async () => {
      file = join(await temporaryFolder(), 'new', 'events.jsonl');
      await send(`file:${file}`);
      events = (await readFile(file, 'utf8')).trimEnd().split('\n').map((line) => openLineageEvent(JSON.parse(line))); // prettier-ignore
    });
    const find = (type: string, job: string) =>
      events.find(({ eventType, job: { name } }) => eventType === type && name === job)!;

    test('tell of each run and step one beginning and one end, as the specification has them', () => {
      expect(events.map(({ eventType, job, eventTime }) => [eventType, job.name, eventTime])).toEqual([
        ['START', 'mortgage', at(0)],
        ['START', 'mortgage.train', at(2)],
        ['COMPLETE', 'mortgage.train', at(7)],
        ['START', 'mortgage.mortgage', at(1)],
        ['COMPLETE', 'mortgage.mortgage', at(8)],
        ['START', 'sub', at(0)],
        ['START', 'sub.fetchData', at(1)],
        ['COMPLETE', 'sub.fetchData', expect.any(String)],
        ['START', 'sub.train', at(2)],
        ['FAIL', 'sub.train', at(9)],
        ['FAIL', 'sub', at(10)],
        ['ABORT', 'mortgage', at(11)],
      ]);
      const ids = new Map(events.map(({ run, job }) => [job.name, run.runId]));
      expect(new Set(ids.values()).size).toBe(6);
      for (const { run, job } of events) expect(run.runId).toBe(ids.get(job.name));
      expect(new Set(events.map(({ job }) => job.namespace))).toEqual(new Set(['risk']));
    });

    test('name data by content, with names for people beside it', () => {
      const { inputs, outputs } = find('COMPLETE', 'mortgage.train');
      expect(inputs).toMatchObject([
        {
          namespace: 'millrace:artifacts',
          name: csv.digest,
          facets: {
            version: { datasetVersion: csv.digest },
            millrace_artifact: { kind: 'dataset', name: 'table.csv' },
          },
        },
      ]);
      expect(outputs).toHaveLength(1);
      expect(outputs[0]).toMatchObject({
        name: model.digest,
        outputFacets: { outputStatistics: { size: model.size } },
      });
      expect(outputs[0]!.facets.symlinks!.identifiers[0]).toMatchObject({ namespace: 'risk', name: expect.stringMatching(/^mortgage\/train\//) }); // prettier-ignore
      expect(find('START', 'mortgage.train')).toMatchObject({ inputs: [{ name: csv.digest }], outputs: [] });
      expect(find('COMPLETE', 'mortgage.mortgage')).toMatchObject({
        inputs: [{ name: model.digest }],
        outputs: [
          { namespace: 'risk', name: 'models/mortgage', facets: { version: { datasetVersion: '1' } } },
        ],
      });
      expect(find('COMPLETE', 'sub.fetchData')).toMatchObject({
        inputs: [{ namespace: 'https://data.example', name: '/a/table.csv' }],
        outputs: [{ name: csv.digest }],
      });
    });

    test('say whose child a run is, with which code, image and parameters it ran, and why it failed', () => {
      const parent = {
        run: { runId: openLineageRunId('run-1') },
        job: { namespace: 'risk', name: 'mortgage' },
      };
      const train = find('COMPLETE', 'mortgage.train');
      expect(train.run.facets).toMatchObject({
        parent: { ...parent, root: parent },
        nominalTime: { nominalStartTime: at(1) },
        executionParameters: { parameters: [{ key: 'trees', value: '100' }] },
        processing_engine: { name: 'millrace', version: '1.2.3' },
        millrace_step: { run: 'run-1', path: 'train', attempt: 1, image: digest('d'), source: digest('c') },
      });
      expect(train.job.facets).toMatchObject({
        jobType: { processingType: 'BATCH', integration: 'MILLRACE', jobType: 'STEP' },
        sourceCodeLocation: { version: digest('c') },
      });
      expect(find('START', 'mortgage').run.facets).toMatchObject({
        tags: { tags: [{ key: 'team', value: 'risk' }] },
      });
      expect(find('START', 'mortgage').run.facets).not.toHaveProperty('parent');
      expect(find('FAIL', 'sub.train').run.facets).toMatchObject({
        parent: { run: { runId: openLineageRunId('run-2') }, root: parent },
        errorMessage: { message: 'STEP_FAILED: It failed.', programmingLanguage: 'Python' },
      });
      expect(find('ABORT', 'mortgage').run.facets['millrace_decisions']).toMatchObject({
        gates: [{ path: 'quality', outcome: 'pass' }],
        approvals: [
          { by: 'ada', status: 'approved', of: { name: 'mortgage', version: 1, digest: model.digest } },
        ],
      });
    });

    test('a line that was cut off spoils no other', async () => {
      await writeFile(file, '{"cut":');
      await catalog.insertRun(aRun({ id: 'run-3' }));
      await send(`file:${file}`);
      const [cut, whole, ...others] = (await readFile(file, 'utf8')).split('\n');
      expect(cut).toBe('{"cut":');
      expect(openLineageEvent(JSON.parse(whole!)).run.runId).toBe(openLineageRunId('run-3'));
      expect(others).toEqual(['']);
    });
  });

  test('are sent to a service with its secret, and wait while it refuses them or is not there', async () => {
    const server = await lineageServer();
    server.answer = 503;
    expect(await send(server.url, async () => 'word')).toBe(0);
    expect((await catalog.outbox.list())[0]).toMatchObject({
      attempts: 1,
      error: `${new URL(server.url).origin} answered 503: not now`,
    });
    await catalog.outbox.retry();
    await server.close();
    expect(await send(server.url)).toBe(0);
    expect((await catalog.outbox.list())[0]).toMatchObject({
      error: expect.stringContaining('ECONNREFUSED'),
    });
    const again = await lineageServer(Number(new URL(server.url).port));
    await catalog.outbox.retry();
    expect(await send(server.url, async () => 'word')).toBe(12);
    expect(again.events.map((event) => openLineageEvent(event).eventType)).toHaveLength(12);
    expect(again.headers[0]).toMatchObject({
      authorization: 'Bearer word',
      'content-type': 'application/json',
    });
    expect(JSON.stringify(again.events)).not.toContain('word');
  });

  test('name the code that a step ran, though its run was moved to other code since', async () => {
    const next = aBuild({ id: 'next', steps: [{ ...trainSpec, source: { digest: digest('e'), type: 'tree', size: 3 } }] }); // prettier-ignore
    await catalog.moves.begin(next, [{ run: 'run-1', home: 'build-1', build: 'next', at: at(5) }]);
    await catalog.updateRun({ id: 'run-1', build: 'next' });
    await catalog.project({ attempts: [anAttempt({ status: 'completed', build: 'build-1' })] });
    const file = join(await temporaryFolder(), 'events.jsonl');
    await send(`file:${file}`);
    const events = (await readFile(file, 'utf8')).trimEnd().split('\n').map((line) => JSON.parse(line) as OpenLineageRunEvent); // prettier-ignore
    const trained = events.find(({ eventType, job }) => eventType === 'COMPLETE' && job.name === 'mortgage.train'); // prettier-ignore
    expect(trained?.run.facets['millrace_step']).toMatchObject({ source: digest('c') });
  });

  test('say from which step a cached answer was taken over', async () => {
    await catalog.outbox.drop('openlineage');
    await catalog.project({
      steps: [aStep({ run: 'run-2', path: 'train#2', status: 'completed', closedAt: at(9) })],
      cacheUses: [{ run: 'run-2', path: 'train#2', key: digest('7'), parts: {}, step: 'train', pipeline: 'sub', outcome: 'hit', from: { run: 'run-1', path: 'train' }, at: at(9) }],
    }); // prettier-ignore
    const file = join(await temporaryFolder(), 'events.jsonl');
    expect(await send(`file:${file}`)).toBe(2);
    const event = openLineageEvent(JSON.parse((await readFile(file, 'utf8')).trimEnd().split('\n')[1]!));
    const reused = { run: 'run-1', path: 'train', runId: openLineageRunId('run-1', 'train') };
    expect(event.run.facets['millrace_step']).toMatchObject({ reused });
  });

  test('ids are UUIDs of version 5, the same for the same run and step and for no other', () => {
    expect(openLineageRunId('a')).toMatch(
      /^[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
    );
    expect(openLineageRunId('a', 'b')).toBe(openLineageRunId('a', 'b'));
    expect(new Set([openLineageRunId('a'), openLineageRunId('a', ''), openLineageRunId('a', 'b'), openLineageRunId('ab')]).size).toBe(4); // prettier-ignore
  });
});
