import type { Catalog } from '../../../store/catalog.js';
import { checkpointsContract } from './checkpoints-contract.js';
import { logChunksContract } from './log-chunks-contract.js';
import { movesContract } from './moves-contract.js';
import { edgesContract } from './edges-contract.js';
import { outboxContract } from './outbox-contract.js';
import {
  aBuild,
  aMetric,
  anApproval,
  anAttempt,
  anEdge,
  aModel,
  aRef,
  aRun,
  aStep,
  at,
  aVersion,
  digest,
} from './records.js';

/** What every catalog does. `open` gives an empty one; it is closed after each test. */
export function catalogContract(name: string, open: () => Promise<Catalog>): void {
  describe(`The catalog on ${name}`, () => {
    let catalog: Catalog;
    beforeEach(async () => {
      catalog = await open();
    });
    afterEach(() => catalog[Symbol.asyncDispose]());

    describe('keeps builds', () => {
      it('and the current one is the one published last, also when it was published before', async () => {
        const [first, second] = [aBuild(), aBuild({ id: 'build-2', createdAt: at(1) })];
        expect(await catalog.currentBuild('millrace')).toBeUndefined();
        await catalog.publishBuild(first);
        await catalog.publishBuild(second);
        expect(await catalog.currentBuild('millrace')).toEqual(second);
        await catalog.publishBuild(first);
        expect(await catalog.currentBuild('millrace')).toEqual(first);
        expect(await catalog.build('build-2')).toEqual(second);
        expect(await catalog.build('build-3')).toBeUndefined();
      });

      it('apart by queue, the same build in several', async () => {
        await catalog.publishBuild(aBuild());
        await catalog.publishBuild(aBuild({ queue: 'other' }));
        expect((await catalog.currentBuild('millrace'))?.queue).toBe('millrace');
        expect((await catalog.currentBuild('other'))?.id).toBe('build-1');
      });
    });

    describe('keeps runs', () => {
      it('with every field as it was given, and leaves out what was not', async () => {
        const full = aRun({
          id: 'full',
          tags: { team: 'risk', 'b c': 'ü' },
          parent: { run: 'run-0', path: 'sub#2' },
          plan: { executor: 'process', warning: 'No engine.', images: {} },
          closedAt: at(9),
          status: 'failed',
          output: null,
          failure: { code: 'STEP_FAILED', what: 'It failed.', step: 'train', fields: { exitCode: 1 } },
        });
        await catalog.insertRun(full);
        await catalog.insertRun(aRun({ input: null }));
        expect(await catalog.run('full')).toEqual(full);
        expect(Object.keys((await catalog.run('run-1')) ?? {}).sort()).toEqual(
          ['build', 'id', 'input', 'pipeline', 'queue', 'startedAt', 'status', 'tags'],
        ); // prettier-ignore
        expect(await catalog.run('none')).toBeUndefined();
      });

      it('and inserts one only once, as it came first', async () => {
        expect(await catalog.insertRun(aRun({ tags: { a: '1' } }))).toBe(true);
        expect(await catalog.insertRun(aRun({ pipeline: 'other', tags: { a: '2' } }))).toBe(false);
        expect(await catalog.run('run-1')).toEqual(aRun({ tags: { a: '1' } }));
      });

      it('and changes only the fields that are given', async () => {
        await catalog.insertRun(aRun({ tags: { a: '1' } }));
        await catalog.updateRun({ id: 'run-1', plan: { executor: 'docker', images: {} } });
        await catalog.updateRun({ id: 'run-1', status: 'completed', closedAt: at(8), output: { auc: 1 } });
        await catalog.updateRun({ id: 'run-1', tags: { b: '2' } });
        await catalog.updateRun({ id: 'run-1' });
        expect(await catalog.run('run-1')).toEqual(
          aRun({
            tags: { b: '2' },
            plan: { executor: 'docker', images: {} },
            status: 'completed',
            closedAt: at(8),
            output: { auc: 1 },
          }),
        );
      });

      it('and a late `running` does not open a closed one', async () => {
        await catalog.insertRun(aRun());
        await catalog.updateRun({ id: 'run-1', status: 'cancelled', closedAt: at(8) });
        await catalog.updateRun({ id: 'run-1', status: 'running', plan: { executor: 'docker', images: {} } });
        expect(await catalog.run('run-1')).toMatchObject({
          status: 'cancelled',
          plan: { executor: 'docker' },
        });
      });

      it('and a completed one has no failure, though somebody asked it to end before or after', async () => {
        const failure = { code: 'RUN_CANCELLED', what: 'The run was cancelled by ada.' };
        for (const id of ['before', 'after']) await catalog.insertRun(aRun({ id }));
        await catalog.updateRun({ id: 'before', failure });
        await catalog.updateRun({ id: 'before', status: 'completed', closedAt: at(8), output: 1 });
        await catalog.updateRun({ id: 'after', status: 'completed', closedAt: at(8), output: 1 });
        await catalog.updateRun({ id: 'after', failure });
        for (const id of ['before', 'after'])
          expect(await catalog.run(id)).toEqual(
            aRun({ id, status: 'completed', closedAt: at(8), output: 1 }),
          );
      });

      it('and a failed one keeps why it failed, a cancelled one who cancelled it', async () => {
        const asked = { code: 'RUN_CANCELLED', what: 'The run was cancelled by ada.' };
        const failure = { code: 'STEP_FAILED', what: 'It broke.' };
        for (const id of ['failed', 'cancelled']) await catalog.insertRun(aRun({ id }));
        await catalog.updateRun({ id: 'failed', status: 'failed', closedAt: at(8), failure });
        await catalog.updateRun({ id: 'failed', failure: asked });
        await catalog.updateRun({ id: 'cancelled', status: 'cancelled', closedAt: at(8) });
        await catalog.updateRun({ id: 'cancelled', failure: asked });
        expect(await catalog.run('failed')).toMatchObject({ status: 'failed', failure });
        expect(await catalog.run('cancelled')).toMatchObject({ status: 'cancelled', failure: asked });
      });

      it('and finds them by pipeline, status, tags, time and parent, newest first, at most so many', async () => {
        await catalog.insertRun(aRun({ id: 'a', startedAt: at(1), tags: { team: 'risk', env: 'prod' } }));
        await catalog.insertRun(
          aRun({ id: 'b', startedAt: at(3), tags: { team: 'risk' }, status: 'failed' }),
        );
        await catalog.insertRun(aRun({ id: 'c', startedAt: at(2), pipeline: 'other' }));
        await catalog.insertRun(aRun({ id: 'd', startedAt: at(4), parent: { run: 'a', path: 'sub' } }));
        const ids = async (filter: Parameters<Catalog['runs']>[0]) =>
          (await catalog.runs(filter)).map(({ id }) => id);
        expect(await ids({})).toEqual(['b', 'c', 'a']);
        expect(await ids({ limit: 2 })).toEqual(['b', 'c']);
        expect(await ids({ pipeline: 'mortgage' })).toEqual(['b', 'a']);
        expect(await ids({ status: 'failed' })).toEqual(['b']);
        expect(await ids({ tags: { team: 'risk' } })).toEqual(['b', 'a']);
        expect(await ids({ tags: { team: 'risk', env: 'prod' } })).toEqual(['a']);
        expect(await ids({ tags: { team: 'prod' } })).toEqual([]);
        expect(await ids({ since: at(2) })).toEqual(['b', 'c']);
        expect(await ids({ parent: 'a' })).toEqual(['d']);
      });

      it('and gives 50 of them when no limit is said', async () => {
        for (let index = 0; index < 51; index++) await catalog.insertRun(aRun({ id: `run-${index}` }));
        expect(await catalog.runs({})).toHaveLength(50);
        expect(await catalog.runs({ limit: 60 })).toHaveLength(51);
      });

      it('and the open ones of a queue, child runs too', async () => {
        await catalog.insertRun(aRun({ id: 'a' }));
        await catalog.insertRun(
          aRun({ id: 'b', startedAt: at(1), parent: { run: 'a', path: 'sub' }, tags: { t: '1' } }),
        );
        await catalog.insertRun(aRun({ id: 'c', queue: 'other' }));
        await catalog.insertRun(aRun({ id: 'd', status: 'terminated' }));
        expect((await catalog.openRuns('millrace')).map(({ id, tags }) => [id, tags])).toEqual([
          ['a', {}],
          ['b', { t: '1' }],
        ]);
      });

      it('knows which runs are paused, and none that has ended is', async () => {
        await using catalog = await open();
        for (const id of ['a', 'b', 'c']) await catalog.insertRun(aRun({ id }));
        const paused = { by: 'ada', at: at(1), reason: 'new data' };
        for (const id of ['a', 'b']) await catalog.updateRun({ id, paused });
        expect(await catalog.run('a')).toMatchObject({ status: 'running', paused });
        expect(await catalog.pausedRuns()).toEqual(new Set(['a', 'b']));
        await catalog.updateRun({ id: 'a', paused: null });
        const cleanupFailure = { code: 'STEP_FAILED', what: 'It broke.' };
        await catalog.updateRun({ id: 'b', status: 'cancelled', closedAt: at(2), cleanupFailure });
        expect(await catalog.pausedRuns()).toEqual(new Set());
        const ended = await catalog.run('b');
        expect(ended).toMatchObject({ status: 'cancelled', cleanupFailure });
        expect(ended?.paused).toBeUndefined();
      });

      it('and tells what of the open ones waits for a person, by the run that began it all', async () => {
        await catalog.insertRun(aRun({ id: 'a' }));
        await catalog.insertRun(aRun({ id: 'a.score', parent: { run: 'a', path: 'score' } }));
        await catalog.insertRun(aRun({ id: 'b', status: 'failed', closedAt: at(9) }));
        await catalog.project({
          steps: [
            aStep({ run: 'a', path: 'release', kind: 'approval', status: 'waiting', scheduledAt: at(1) }),
            aStep({ run: 'a.score', path: 'train', status: 'parked', scheduledAt: at(2) }),
            aStep({ run: 'a', path: 'score', kind: 'pipeline', status: 'running' }),
            aStep({ run: 'b', path: 'train', status: 'parked' }),
          ],
        });
        expect(await catalog.heldSteps()).toEqual([
          { run: 'a', path: 'release', status: 'waiting' },
          { run: 'a', path: 'score/train', status: 'parked' },
        ]);
      });
    });

    describe('projects steps and attempts', () => {
      it('with every field as it was given', async () => {
        const step = aStep({
          status: 'completed',
          detail: 'epoch 3',
          progress: 0.5,
          input: { trees: 100 },
          output: { auc: 0.8 },
          closedAt: at(9),
        });
        const attempt = anAttempt({
          status: 'failed',
          image: digest('c'),
          closedAt: at(9),
          exitCode: 0,
          cpuSeconds: 1.5,
          peakMemoryBytes: 2 ** 40,
          wallSeconds: 12.25,
          gpuSeconds: 24.5,
          failure: { code: 'OUT_OF_MEMORY', what: 'Too much.' },
          log: digest('d'),
          packages: ['numpy==2.0.0'],
          build: 'build-1',
        });
        await catalog.project({ steps: [step], attempts: [attempt] });
        expect(await catalog.steps('run-1')).toEqual([step]);
        expect(await catalog.attempts('run-1')).toEqual([attempt]);
        await catalog.project({ steps: [aStep({ path: 'bare' })], attempts: [anAttempt({ path: 'bare' })] });
        expect(await catalog.steps('run-1')).toContainEqual(aStep({ path: 'bare' }));
        expect(await catalog.attempts('run-1', 'bare')).toEqual([anAttempt({ path: 'bare' })]);
      });

      it('in order of scheduling, calls of one instant in order of their number', async () => {
        const steps = ['train#10', 'train#2', 'train'].map((path) => aStep({ path }));
        await catalog.project({ steps: [...steps, aStep({ path: 'validate', scheduledAt: at(0) })] });
        expect((await catalog.steps('run-1')).map(({ path }) => path)).toEqual([
          'validate',
          'train',
          'train#2',
          'train#10',
        ]);
      });

      it('and an upsert leaves absent fields as they were', async () => {
        await catalog.project({
          steps: [aStep({ status: 'queued', input: { trees: 5 }, detail: 'needs 2 cpus' })],
          attempts: [anAttempt({ image: digest('c') })],
        });
        await catalog.project({
          steps: [aStep({ progress: 0.2 })],
          attempts: [anAttempt({ status: 'completed', closedAt: at(7), exitCode: 0 })],
        });
        expect(await catalog.steps('run-1')).toEqual([
          aStep({ input: { trees: 5 }, detail: 'needs 2 cpus', progress: 0.2 }),
        ]);
        expect(await catalog.attempts('run-1')).toEqual([
          anAttempt({ status: 'completed', image: digest('c'), closedAt: at(7), exitCode: 0 }),
        ]);
      });

      it.each(['queued', 'running', 'waiting', 'retrying'] as const)(
        'and a late `%s` opens neither a closed step nor a closed attempt',
        async (status) => {
          const closed = aStep({ status: 'completed', closedAt: at(7), output: { auc: 1 } });
          const attempt = anAttempt({ status: 'completed', closedAt: at(7) });
          await catalog.project({ steps: [closed], attempts: [attempt] });
          await catalog.project({ steps: [aStep({ status, detail: 'late' })] });
          await catalog.project({ steps: [aStep({ status })], attempts: [anAttempt()] });
          expect(await catalog.steps('run-1')).toEqual([closed]);
          expect(await catalog.attempts('run-1')).toEqual([attempt]);
        },
      );

      it('and a late row still brings the input a closed step lacked', async () => {
        await catalog.project({ steps: [aStep({ status: 'completed', closedAt: at(7) })] });
        await catalog.project({ steps: [aStep({ status: 'running', input: { trees: 5 }, detail: 'late' })] });
        expect(await catalog.steps('run-1')).toEqual([
          aStep({ status: 'completed', closedAt: at(7), input: { trees: 5 } }),
        ]);
      });

      it('and a higher attempt opens a closed step again, without what belonged to its end', async () => {
        await catalog.project({
          steps: [
            aStep({
              status: 'failed',
              closedAt: at(7),
              input: { trees: 5 },
              failure: { code: 'STEP_FAILED', what: 'Failed.' },
            }),
          ],
          attempts: [anAttempt({ status: 'failed', closedAt: at(7) })],
        });
        await catalog.project({ steps: [aStep()], attempts: [anAttempt({ attempt: 2, startedAt: at(8) })] });
        expect(await catalog.steps('run-1')).toEqual([aStep({ input: { trees: 5 } })]);
        expect((await catalog.attempts('run-1')).map(({ attempt, status }) => [attempt, status])).toEqual([
          [1, 'failed'],
          [2, 'running'],
        ]);
      });

      it('also when the higher attempt came in a call before', async () => {
        await catalog.project({
          steps: [aStep({ status: 'lost', closedAt: at(7) })],
          attempts: [anAttempt({ status: 'lost', closedAt: at(7) })],
        });
        await catalog.project({ attempts: [anAttempt({ attempt: 2 })] });
        await catalog.project({ steps: [aStep()] });
        expect(await catalog.steps('run-1')).toEqual([aStep()]);
      });

      it('and one whose cached result was lost is its own also where its attempt begins and ends between two looks', async () => {
        const taken = { closedAt: at(7), output: { auc: 1 }, cached: { run: 'run-0', path: 'train' } };
        await catalog.project({ steps: [aStep({ status: 'completed', ...taken })] });
        const ended = { status: 'completed', closedAt: at(9) } as const;
        await catalog.project({
          steps: [aStep({ ...ended, output: { auc: 2 } })],
          attempts: [anAttempt(ended)],
        });
        const [step] = await catalog.steps('run-1');
        expect(step).toMatchObject({ status: 'completed', output: { auc: 2 } });
        expect(step?.cached).toBeUndefined();
      });

      it('and the first attempt opens a step again whose cached result was lost, which is then its own', async () => {
        const taken = { closedAt: at(7), output: { auc: 1 }, cached: { run: 'run-0', path: 'train' } };
        await catalog.project({ steps: [aStep({ status: 'completed', ...taken })] });
        await catalog.project({ steps: [aStep({ status: 'queued' })] });
        expect((await catalog.steps('run-1'))[0]?.status).toBe('completed');
        await catalog.project({ steps: [aStep()], attempts: [anAttempt()] });
        expect(await catalog.steps('run-1')).toEqual([aStep()]);
        const closed = { status: 'completed', closedAt: at(9) } as const;
        await catalog.project({
          steps: [aStep({ ...closed, output: { auc: 1 } })],
          attempts: [anAttempt(closed)],
        });
        await catalog.project({ steps: [aStep()], attempts: [anAttempt()] });
        expect(await catalog.steps('run-1')).toEqual([aStep({ ...closed, output: { auc: 1 } })]);
      });

      it('and an older attempt that reports late changes its own row only', async () => {
        const step = aStep({ status: 'running', detail: 'second try' });
        await catalog.project({ steps: [step], attempts: [anAttempt(), anAttempt({ attempt: 2 })] });
        await catalog.project({
          steps: [aStep({ status: 'failed', closedAt: at(9) })],
          attempts: [anAttempt({ status: 'failed', closedAt: at(9) })],
        });
        expect(await catalog.steps('run-1')).toEqual([step]);
        expect((await catalog.attempts('run-1')).map(({ status }) => status)).toEqual(['failed', 'running']);
      });

      it('and nothing opens again in a closed run', async () => {
        await catalog.insertRun(aRun());
        await catalog.project({ steps: [aStep()], attempts: [anAttempt()] });
        await catalog.project({ steps: [aStep({ status: 'cancelled', closedAt: at(7) })] });
        await catalog.updateRun({ id: 'run-1', status: 'cancelled', closedAt: at(7) });
        await catalog.project({ steps: [aStep()], attempts: [anAttempt({ attempt: 2 })] });
        expect((await catalog.steps('run-1'))[0]?.status).toBe('cancelled');
      });

      it('and completion takes the failure of an earlier attempt away', async () => {
        await catalog.project({
          steps: [aStep({ status: 'retrying', failure: { code: 'STEP_FAILED', what: 'Failed.' } })],
        });
        await catalog.project({ steps: [aStep({ status: 'completed', closedAt: at(8) })] });
        expect(await catalog.steps('run-1')).toEqual([aStep({ status: 'completed', closedAt: at(8) })]);
      });

      it('and a step that is closed as it was keeps the time of that', async () => {
        await catalog.project({ steps: [aStep({ status: 'completed', closedAt: at(7) })] });
        await catalog.project({ steps: [aStep({ status: 'completed', closedAt: at(9) })] });
        expect(await catalog.steps('run-1')).toEqual([aStep({ status: 'completed', closedAt: at(7) })]);
        await catalog.project({ steps: [aStep({ status: 'failed', closedAt: at(9) })] });
        expect(await catalog.steps('run-1')).toMatchObject([{ status: 'failed', closedAt: at(9) }]);
      });

      it('and rows about one step in one call count in their order', async () => {
        await catalog.project({
          steps: [aStep({ status: 'queued' }), aStep({ detail: 'go' }), aStep({ status: 'completed' })],
          attempts: [anAttempt(), anAttempt({ status: 'completed', exitCode: 0 })],
        });
        expect(await catalog.steps('run-1')).toEqual([aStep({ status: 'completed', detail: 'go' })]);
        expect(await catalog.attempts('run-1')).toEqual([anAttempt({ status: 'completed', exitCode: 0 })]);
      });

      it('and a call is kept whole or not at all', async () => {
        const broken = { ...anEdge(), at: undefined as unknown as string };
        await expect(catalog.project({ steps: [aStep()], artifacts: [broken] })).rejects.toThrow();
        expect(await catalog.steps('run-1')).toEqual([]);
        await catalog.project({});
      });

      it('and thousands of rows in one call', async () => {
        const steps = Array.from({ length: 1200 }, (_, index) => aStep({ path: `map#${index}` }));
        const metrics = Array.from({ length: 3000 }, (_, index) => aMetric({ index, value: index }));
        await catalog.project({ steps, metrics });
        expect(await catalog.steps('run-1')).toHaveLength(1200);
        expect(await catalog.metrics('run-1')).toHaveLength(3000);
      });
    });

    it('keeps metrics oldest first, and a point that comes again replaces itself', async () => {
      const metrics = [
        aMetric({ index: 1, at: at(4), value: 0.4 }),
        aMetric({ index: 0 }),
        aMetric({ name: 'auc', at: at(5) }),
        aMetric({ name: 'auc', at: at(5), value: 0.6 }),
        aMetric({ path: 'other', at: at(6) }),
      ];
      await catalog.project({ metrics });
      await catalog.project({ metrics: [...metrics, aMetric({ index: 1, at: at(4), value: 0.3 })] });
      expect(await catalog.metrics('run-1', 'train')).toEqual([
        aMetric({ index: 0 }),
        aMetric({ index: 1, at: at(4), value: 0.3 }),
        aMetric({ name: 'auc', at: at(5) }),
        aMetric({ name: 'auc', at: at(5), value: 0.6 }),
      ]);
      expect(await catalog.metrics('run-1')).toHaveLength(5);
    });

    it('keeps what a run read and made, and a later attempt replaces what an earlier one made', async () => {
      const input = anEdge({ direction: 'input', field: 'table', at: at(2) });
      await catalog.project({ artifacts: [input, anEdge()] });
      const second = anEdge({
        artifact: aRef({ digest: digest('f'), type: 'tree', $artifact: 'model' }),
        at: at(5),
      });
      await catalog.project({ artifacts: [second] });
      expect(await catalog.artifacts('run-1')).toEqual([input, second]);
    });

    it('keeps gates, written twice as one', async () => {
      const gate = {
        run: 'run-1',
        path: 'quality',
        outcome: {
          gate: 'quality',
          outcome: 'pass' as const,
          checks: { auc: { value: 0.8, comparison: '>=' as const, bound: 0.7, outcome: 'pass' as const } },
        },
        evidence: { report: aRef() },
        at: at(5),
      };
      await catalog.recordGate(gate);
      await catalog.recordGate(gate);
      expect(await catalog.gates('run-1')).toEqual([gate]);
      expect(await catalog.gates('run-2')).toEqual([]);
    });

    it('keeps approvals, and a decision stands against late rows', async () => {
      const of = { name: 'mortgage', version: 1, model: aModel() };
      const approval = anApproval({ of, until: at(60) });
      const decision = { gate: 'release', decision: 'approved' as const, by: 'ann', at: at(9) };
      await catalog.openApproval(approval);
      await catalog.openApproval(anApproval({ path: 'second', openedAt: at(7) }));
      expect(await catalog.approvals({ status: 'open' })).toHaveLength(2);
      await catalog.closeApproval({ run: 'run-1', path: 'release', status: 'approved', decision });
      await catalog.closeApproval({ run: 'run-1', path: 'release', status: 'cancelled' });
      await catalog.openApproval(approval);
      expect(await catalog.approvals({ run: 'run-1' })).toEqual([
        { ...approval, status: 'approved', decision },
        anApproval({ path: 'second', openedAt: at(7) }),
      ]);
      expect((await catalog.approvals({ status: 'approved', run: 'run-1' })).map(({ path }) => path)).toEqual(
        ['release'],
      );
      expect(await catalog.approvals({ run: 'run-2' })).toEqual([]);
    });

    describe('keeps models', () => {
      it('and the same step registers the same version, another run a new one', async () => {
        const first = await catalog.registerVersion(aVersion());
        expect(first).toEqual({ ...aVersion(), version: 1 });
        expect(await catalog.registerVersion(aVersion({ metrics: {}, createdAt: at(9) }))).toEqual(first);
        expect((await catalog.registerVersion(aVersion({ run: 'run-2' }))).version).toBe(2);
        expect(
          (await catalog.registerVersion(aVersion({ run: 'run-2', path: 'b', name: 'other' }))).version,
        ).toBe(1);
        expect((await catalog.model('mortgage'))?.versions.map(({ version }) => version)).toEqual([1, 2]);
        expect((await catalog.models()).map((model) => model.name)).toEqual(['mortgage', 'other']);
        expect(await catalog.model('none')).toBeUndefined();
      });

      it('and an alias knows where it points, where it pointed, and its history', async () => {
        await catalog.registerVersion(aVersion());
        await catalog.registerVersion(aVersion({ run: 'run-2' }));
        const change = { path: 'promote', name: 'mortgage', alias: 'champion' };
        const first = { ...change, run: 'run-1', version: 1, at: at(7) };
        const second = { ...change, run: 'run-2', version: 2, at: at(8) };
        expect(await catalog.setAlias(first)).toEqual({ name: 'mortgage', alias: 'champion', version: 1 });
        const moved = { name: 'mortgage', alias: 'champion', version: 2, former: 1 };
        expect(await catalog.setAlias(second)).toEqual(moved);
        expect(await catalog.setAlias(second)).toEqual(moved);
        await catalog.setAlias({ ...first, path: 'promote#2', alias: 'shadow' });
        const champion = { name: 'mortgage', alias: 'champion', version: 2, at: at(8), run: 'run-2' };
        expect((await catalog.model('mortgage'))?.aliases).toEqual([
          champion,
          { name: 'mortgage', alias: 'shadow', version: 1, at: at(7), run: 'run-1' },
        ]);
        expect(await catalog.aliasHistory('mortgage', 'champion')).toEqual([
          champion,
          { name: 'mortgage', alias: 'champion', version: 1, at: at(7), run: 'run-1' },
        ]);
      });

      it('and an alias for a version that is not there names the versions that are', async () => {
        const change = { run: 'run-1', path: 'promote', name: 'mortgage', alias: 'champion', at: at(7) };
        await expect(catalog.setAlias({ ...change, version: 1 })).rejects.toMatchObject({
          code: 'UNKNOWN_MODEL',
          message: expect.stringContaining('Nothing is registered'),
        });
        await catalog.registerVersion(aVersion());
        await expect(catalog.setAlias({ ...change, version: 2 })).rejects.toThrow('Its versions: 1.');
      });
    });

    describe('keeps cached results', () => {
      const key = digest('c');
      const entry = { key, step: 'train', pipeline: 'mortgage', run: 'run-1', path: 'train', output: { auc: 0.8 }, createdAt: at(3) }; // prettier-ignore
      const lease = {
        key,
        run: 'run-1',
        path: 'train',
        attempt: 1,
        token: 'one',
        at: at(2),
        staleBefore: at(0),
      };
      const use = { run: 'run-1', path: 'train', key, parts: { image: digest('1'), input: { trees: 1 } }, step: 'train', pipeline: 'mortgage', outcome: 'computed', reason: 'no entry', at: at(3) } as const; // prettier-ignore

      it('that only the holder of the lease commits, and gives the lease back with it', async () => {
        expect(await catalog.cache.acquire(lease)).toEqual({ held: true });
        expect(await catalog.cache.commit(entry, 'other')).toBe(false);
        expect(await catalog.cache.entry(key)).toBeUndefined();
        expect(await catalog.cache.commit(entry, 'one')).toBe(true);
        expect(await catalog.cache.entry(key)).toEqual(entry);
        expect(await catalog.cache.commit({ ...entry, run: 'run-2' }, 'one')).toBe(false);
        const next = { ...lease, run: 'run-3', token: 'three' };
        expect(await catalog.cache.acquire(next)).toEqual({ held: true });
        expect(await catalog.cache.commit({ ...entry, run: 'run-3', output: 3 }, 'three')).toBe(true);
        expect(await catalog.cache.entry(key)).toMatchObject({ run: 'run-3', output: 3 });
      });

      it('and tells who has the lease, until it is released, renewed no more or seen to stand still', async () => {
        await catalog.cache.acquire(lease);
        expect(await catalog.cache.renew({ key, token: 'one', at: at(4) })).toBe(true);
        const other = { ...lease, run: 'run-2', token: 'two', at: at(5), staleBefore: at(4) };
        const by = { run: 'run-1', path: 'train', attempt: 1, token: 'one', beats: 1 };
        expect(await catalog.cache.acquire(other)).toEqual({ held: false, by });
        expect(await catalog.cache.acquire({ ...other, abandoned: { token: 'one', beats: 0 } })).toEqual({
          held: false,
          by,
        });
        expect(await catalog.cache.acquire({ ...other, abandoned: by })).toEqual({ held: true });
        expect(await catalog.cache.renew({ key, token: 'one', at: at(6) })).toBe(false);
        await catalog.cache.release({ key, token: 'one' });
        expect(await catalog.cache.acquire({ ...lease, staleBefore: at(5) })).toMatchObject({ held: false });
        expect(await catalog.cache.acquire({ ...lease, token: 'three', staleBefore: at(6) })).toEqual({
          held: true,
        });
        await catalog.cache.release({ key, token: 'three' });
        expect(await catalog.cache.acquire(other)).toEqual({ held: true });
        // Another attempt of the same step goes on with its own.
        expect(await catalog.cache.acquire({ ...other, attempt: 2, token: 'four' })).toEqual({ held: true });
      });

      it('and of many who ask at once one gets the lease', async () => {
        const answers = await Promise.all(
          Array.from({ length: 20 }, (_, index) =>
            catalog.cache.acquire({ ...lease, run: `run-${index}`, token: `${index}` }),
          ),
        );
        expect(answers.filter(({ held }) => held)).toHaveLength(1);
      });

      it('and what the cache did for each step, and the newest earlier use, at the same path first', async () => {
        const path2 = { ...use, run: 'run-2', path: 'train#2', at: at(5) };
        await catalog.project({
          cacheUses: [
            use,
            path2,
            { ...use, run: 'run-3', at: at(6), outcome: 'hit', from: { run: 'run-1', path: 'train' } },
          ],
        });
        expect(await catalog.cache.use({ run: 'run-1', path: 'train' })).toEqual(use);
        expect(await catalog.cache.use({ run: 'run-9', path: 'train' })).toBeUndefined();
        const { step, pipeline } = use;
        const earlier = (path: string, run: string, time: number) =>
          catalog.cache.useBefore({ step, pipeline, path, run, at: at(time) });
        expect(await earlier('train', 'run-3', 6)).toEqual(use);
        expect(await earlier('train#2', 'run-3', 6)).toEqual(path2);
        expect(await earlier('train#3', 'run-3', 6)).toEqual(path2);
        expect(await earlier('train', 'run-1', 3)).toBeUndefined();
      });

      it('listed with how often they were taken, and lets go of those that fit', async () => {
        const names = ['a', 'b', 'd'].map(digest);
        for (const [index, name] of names.entries()) {
          await catalog.cache.acquire({ ...lease, key: name });
          await catalog.cache.commit({ ...entry, key: name, run: `run-${index}`, step: index === 0 ? 'fit' : 'train', createdAt: at(index) }, 'one'); // prettier-ignore
        }
        await catalog.project({
          cacheUses: [
            { ...use, key: names[1]!, run: 'run-1' },
            { ...use, key: names[1]!, run: 'run-7', outcome: 'hit', at: at(8) },
            { ...use, key: names[1]!, run: 'run-8', outcome: 'joined', at: at(9) },
          ],
        });
        const listed = await catalog.cache.entries({ step: 'train' });
        expect(listed.map(({ key: each, hits, lastHitAt }) => [each, hits, lastHitAt])).toEqual([
          [names[2], 0, undefined],
          [names[1], 2, at(9)],
        ]);
        expect(await catalog.cache.entries({ limit: 1 })).toHaveLength(1);
        expect(await catalog.cache.evict({ step: 'train', before: at(2) })).toBe(1);
        expect(await catalog.cache.evict({ run: 'run-0' })).toBe(1);
        expect((await catalog.cache.entries({})).map(({ key: each }) => each)).toEqual([names[2]]);
      });

      it('and a step says whose result it took', async () => {
        const cached = { run: 'run-0', path: 'train' };
        await catalog.project({ steps: [aStep({ status: 'completed', closedAt: at(2), cached })] });
        expect((await catalog.steps('run-1'))[0]?.cached).toEqual(cached);
      });
    });

    it('sorts text by its bytes, whatever the locale, and points without an index first', async () => {
      const paths = ['a', 'B', 'ä', '_', 'b#2', 'b'];
      for (const path of paths)
        await catalog.openApproval(anApproval({ path, openedAt: at(5), gate: 'same' }));
      const sorted = (await catalog.approvals({ run: 'run-1' })).map(({ path }) => path);
      expect(sorted).toEqual(['B', '_', 'a', 'b', 'b#2', 'ä']);
      await catalog.project({ metrics: [aMetric({ index: 0 }), aMetric({ value: 0.25 })] });
      expect(await catalog.metrics('run-1')).toEqual([aMetric({ value: 0.25 }), aMetric({ index: 0 })]);
    });

    it('takes any text and any number that a step can say', async () => {
      const step = aStep({ detail: 'caf\u00e9 \u{1f9ea}', progress: 0.1 + 0.2, input: { text: 'a\0b' } });
      const metric = aMetric({ value: 1.7976931348623157e308, index: 2 ** 53 - 1 });
      await catalog.project({ steps: [step], metrics: [metric, aMetric({ value: 5e-324 })] });
      expect(await catalog.steps('run-1')).toEqual([step]);
      expect(await catalog.metrics('run-1')).toEqual([aMetric({ value: 5e-324 }), metric]);
      await catalog.project({ steps: [aStep({ detail: 'nul \0 here' })] });
      expect((await catalog.steps('run-1'))[0]?.detail).toMatch(/^nul . here$/s);
    });

    it('lets many write about one run at once, and a close among them stands', async () => {
      await catalog.insertRun(aRun());
      const attempts = Array.from({ length: 20 }, (_, index) => anAttempt({ attempt: index + 1 }));
      await Promise.all([
        ...attempts.map((attempt) => catalog.project({ steps: [aStep()], attempts: [attempt] })),
        catalog.updateRun({ id: 'run-1', status: 'cancelled', closedAt: at(9) }),
        catalog.updateRun({ id: 'run-1', status: 'running', tags: { a: '1' } }),
        ...attempts.map(({ attempt }) =>
          catalog.project({
            steps: [aStep({ status: 'failed', closedAt: at(8) })],
            attempts: [anAttempt({ attempt, status: 'failed', closedAt: at(8) })],
          }),
        ),
      ]);
      expect(await catalog.run('run-1')).toMatchObject({ status: 'cancelled', tags: { a: '1' } });
      expect(await catalog.steps('run-1')).toMatchObject([{ status: 'failed' }]);
      const kept = await catalog.attempts('run-1');
      expect(kept.map(({ attempt, status }) => [attempt, status])).toEqual(
        attempts.map(({ attempt }) => [attempt, 'failed']),
      );
    });

    it('writes about many runs in one call while others do, in any order, without a deadlock', async () => {
      const ids = Array.from({ length: 12 }, (_, index) => `run-${index}`);
      const rotated = ids.map((_, shift) => [...ids.slice(shift), ...ids.slice(0, shift)]);
      await Promise.all(
        rotated.map((order, index) =>
          catalog.project({ steps: order.map((run) => aStep({ run, detail: `writer ${index}` })) }),
        ),
      );
      for (const run of ids) expect(await catalog.steps(run)).toHaveLength(1);
    });

    it('registers versions without gaps or doubles when many are asked for at once', async () => {
      const versions = await Promise.all(
        Array.from({ length: 30 }, (_, index) => catalog.registerVersion(aVersion({ run: `run-${index}` }))),
      );
      expect(versions.map(({ version }) => version).sort((a, b) => a - b)).toEqual(
        Array.from({ length: 30 }, (_, index) => index + 1),
      );
    });

    describe('for garbage collection and for people', () => {
      const closed = { status: 'completed', closedAt: at(5) } as const;

      it('plans, names and forgets old runs and builds', async () => {
        await catalog.publishBuild(aBuild());
        await catalog.publishBuild(aBuild({ id: 'build-2', createdAt: at(6), nodeBundle: digest('3') }));
        await catalog.insertRun(aRun({ id: 'old', ...closed, tags: { a: 'b' } }));
        await catalog.insertRun(aRun({ id: 'open', build: 'build-2' }));
        await catalog.project({
          steps: [aStep({ run: 'old', ...closed })],
          attempts: [anAttempt({ run: 'old', log: digest('c') })],
          artifacts: [anEdge({ run: 'old' }), anEdge({ run: 'open', artifact: aModel() })],
        });
        const held = { run: 'old', digest: digest('d'), type: 'file', size: 2 ** 40, at: at(1) } as const;
        await catalog.garbage.hold([held, held, { ...held, run: 'never-began' }]);
        const plan = await catalog.garbage.plan({ runs: at(9), builds: at(9) });
        expect(plan).toEqual({
          trees: [['old']],
          keptRuns: 1,
          builds: [{ id: 'build-1', queue: 'millrace' }],
        });
        expect([...(await catalog.garbage.namedByRuns(['old'])).keys()].sort()).toEqual(
          [digest('a'), digest('c'), digest('d')].sort(),
        );
        expect(await catalog.garbage.forgetTree(['old'], at(5))).toBe(false);
        expect(await catalog.garbage.forgetTree(['old'], at(9))).toBe(true);
        expect(await catalog.garbage.forgetBuilds(plan.builds)).toEqual(plan.builds);
        await catalog.garbage.forgetUnstarted(at(9));
        expect(await catalog.run('old')).toBeUndefined();
        const named = await catalog.garbage.named();
        expect(named.get(digest('b'))).toEqual({ type: 'tree', reason: 'run' });
        expect(named.get(digest('3'))).toEqual({ type: 'file', reason: 'build' });
        for (const gone of ['a', 'c', 'd']) expect(named.has(digest(gone))).toBe(false);
      });

      it('keeps what was decided about a step, each entry once, oldest first', async () => {
        const entry = { run: 'run-1', path: 'train', attempt: 1, kind: 'retried', text: 'out of memory' };
        await catalog.project({ timeline: [{ ...entry, at: at(2), data: { memory: 2 } }] });
        await catalog.project({
          timeline: [
            { ...entry, at: at(2), text: 'said again' },
            { ...entry, at: at(1), kind: 'started', text: 'on here:1' },
            { ...entry, path: '', at: at(3), attempt: 0, kind: 'paused', text: 'by ada' },
          ],
        });
        expect(await catalog.timeline('run-1', 'train')).toEqual([
          { ...entry, at: at(1), kind: 'started', text: 'on here:1' },
          { ...entry, at: at(2), data: { memory: 2 } },
        ]);
        expect((await catalog.timeline('run-1')).map(({ kind }) => kind)).toEqual([
          'started',
          'retried',
          'paused',
        ]);
        expect(await catalog.timeline('run-2')).toEqual([]);
      });

      it('knows the hosts of a queue, and which of them has gone', async () => {
        const host = { id: 'host-1', queue: 'millrace', name: 'here', seenAt: at(1), gone: false };
        await catalog.hosts.beat(host);
        await catalog.hosts.beat({ ...host, id: 'host-2', seenAt: at(2) });
        await catalog.hosts.beat({ ...host, id: 'host-3', queue: 'other' });
        await catalog.hosts.beat({ ...host, seenAt: at(3), gone: true });
        expect(await catalog.hosts.find('host-1')).toEqual({ ...host, seenAt: at(3), gone: true });
        expect(await catalog.hosts.find('host-4')).toBeUndefined();
        expect((await catalog.hosts.list('millrace')).map(({ id }) => id)).toEqual(['host-1', 'host-2']);
        await catalog.hosts.beat({ ...host, seenAt: at(4) });
        expect(await catalog.hosts.find('host-1')).toMatchObject({ gone: false });
      });

      it('takes a word that a host is gone, unless it was seen meanwhile, until it lives again', async () => {
        const host = { id: 'host-1', queue: 'millrace', name: 'here', seenAt: at(3), gone: false };
        await catalog.hosts.beat(host);
        expect(await catalog.hosts.giveUp('host-1', at(3))).toBe(false);
        expect(await catalog.hosts.giveUp('host-4', at(9))).toBe(false);
        expect(await catalog.hosts.find('host-1')).toEqual(host);
        expect(await catalog.hosts.giveUp('host-1', at(4))).toBe(true);
        expect(await catalog.hosts.giveUp('host-1', at(1))).toBe(true);
        expect(await catalog.hosts.find('host-1')).toEqual({ ...host, gone: true });
        await catalog.hosts.beat({ ...host, seenAt: at(5) });
        expect(await catalog.hosts.find('host-1')).toMatchObject({ gone: false });
      });

      it('keeps what a person did about a parked step', async () => {
        const repair = { do: 'retry', by: 'ada', at: at(3), memory: 2 ** 30, input: ['rows'] } as const;
        await catalog.project({
          steps: [aStep({ status: 'parked', failure: { code: 'STEP_FAILED', what: 'x' } })],
        });
        await catalog.project({ steps: [aStep({ status: 'queued', repair })] });
        expect(await catalog.steps('run-1')).toMatchObject([{ status: 'queued', repair }]);
      });

      it('finds content by run, step, kind and name, by its digest and by the beginning of one', async () => {
        await catalog.project({
          attempts: [anAttempt({ log: digest('c') })],
          artifacts: [
            anEdge(),
            anEdge({ run: 'run-2', direction: 'input', at: at(7) }),
            anEdge({ path: 'fit', artifact: aModel(), at: at(6) }),
          ],
        });
        const digests = async (filter: Parameters<Catalog['contents']['find']>[0]) => [
          ...new Set((await catalog.contents.find(filter)).map(({ artifact }) => artifact.digest)),
        ];
        expect(await digests({})).toEqual([digest('a'), digest('b')]);
        expect(await digests({ limit: 1 })).toEqual([digest('a')]);
        expect(await digests({ kind: 'model' })).toEqual([digest('b')]);
        expect(await digests({ run: 'run-2', step: 'train', name: 'table.csv' })).toEqual([digest('a')]);
        expect(await digests({ run: 'run-3' })).toEqual([]);
        expect((await catalog.contents.edges(digest('a'))).map(({ run }) => run)).toEqual(['run-1', 'run-2']);
        expect(await catalog.contents.beginning('sha256:cc', 5)).toEqual([digest('c')]);
        expect(await catalog.contents.beginning('sha256:', 2)).toEqual([digest('a'), digest('b')]);
        expect(await catalog.contents.beginning('sha256:ab', 5)).toEqual([]);
      });
    });
  });
  outboxContract(name, open);
  checkpointsContract(name, open);
  logChunksContract(name, open);
  movesContract(name, open);
  edgesContract(name, open);
}
