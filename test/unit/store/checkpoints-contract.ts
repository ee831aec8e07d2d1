import type { Catalog } from '../../../store/catalog.js';
import { anAttempt, aRun, aStep, at, digest } from './records.js';

const stored = (digit: string, attempt = 1, path = 'train') => ({
  run: 'run-1',
  path,
  attempt,
  digest: digest(digit),
  size: 2 ** 40,
  at: at(3),
});

/** What every catalog keeps of running steps' checkpoints. */
export function checkpointsContract(name: string, open: () => Promise<Catalog>): void {
  describe(`The checkpoints of the catalog on ${name}`, () => {
    let catalog: Catalog;
    beforeEach(async () => {
      catalog = await open();
      await catalog.insertRun(aRun());
    });
    afterEach(() => catalog[Symbol.asyncDispose]());
    const kept = async (path = 'train') =>
      (await catalog.checkpoints.list('run-1', path)).map((each) => `${each.attempt}.${each.sequence} ${each.digest[7]}`); // prettier-ignore

    it('are the newest two of each step, of the newest attempt first', async () => {
      const { checkpoints } = catalog;
      expect(await checkpoints.list('run-1', 'train')).toEqual([]);
      expect(await checkpoints.add(stored('a'))).toBe(1);
      expect(await checkpoints.list('run-1', 'train')).toEqual([{ ...stored('a'), sequence: 1 }]);
      expect(await checkpoints.add(stored('b'))).toBe(2);
      expect(await checkpoints.add(stored('c'))).toBe(3);
      await checkpoints.add(stored('e', 1, 'train#2'));
      expect(await kept()).toEqual(['1.3 c', '1.2 b']);
      expect(await checkpoints.add(stored('d', 2))).toBe(1);
      expect(await kept()).toEqual(['2.1 d', '1.3 c']);
      expect(await kept('train#2')).toEqual(['1.1 e']);
      expect((await checkpoints.list('run-1')).map(({ path }) => path).sort()).toEqual([
        'train',
        'train',
        'train#2',
      ]);
    });

    it('are not noted again while the newest has the same content', async () => {
      const { checkpoints } = catalog;
      await checkpoints.add(stored('a'));
      await checkpoints.add(stored('b'));
      expect(await checkpoints.add(stored('b'))).toBe(2);
      expect(await checkpoints.add(stored('b', 2))).toBe(2);
      expect(await kept()).toEqual(['1.2 b', '1.1 a']);
      expect(await checkpoints.add(stored('a'))).toBe(3);
    });

    it('tell of what work they are, and are noted again where that is another', async () => {
      const { checkpoints } = catalog;
      await checkpoints.add({ ...stored('a'), work: digest('1') });
      expect(await checkpoints.add({ ...stored('a', 2), work: digest('2') })).toBe(1);
      const works = (await checkpoints.list('run-1', 'train')).map(({ attempt, work }) => [attempt, work]);
      expect(works).toEqual([[2, digest('2')], [1, digest('1')]]);
    }); // prettier-ignore

    it('are taken from no attempt that was given up, nor while a later one runs', async () => {
      const { checkpoints } = catalog;
      await catalog.project({ attempts: [anAttempt({ attempt: 1 }), anAttempt({ attempt: 3, status: 'lost' })] });
      await checkpoints.add(stored('a'));
      await catalog.project({ attempts: [anAttempt({ attempt: 2 })] });
      expect(await checkpoints.add(stored('b'))).toBeUndefined();
      expect(await checkpoints.add(stored('c', 2))).toBe(1);
      await catalog.project({ attempts: [anAttempt({ attempt: 2, status: 'lost', closedAt: at(9) })] });
      expect(await checkpoints.add(stored('d', 2))).toBeUndefined();
      expect(await kept()).toEqual(['2.1 c', '1.1 a']);
    }); // prettier-ignore

    it('go when their step completes, and stay when it fails', async () => {
      const { checkpoints } = catalog;
      for (const path of ['train', 'train#2', 'other']) await checkpoints.add(stored('a', 1, path));
      await catalog.project({
        steps: [
          aStep({ status: 'completed', closedAt: at(9) }),
          aStep({ path: 'train#2', status: 'failed', closedAt: at(9) }),
        ],
      });
      expect([await kept(), await kept('train#2'), await kept('other')]).toEqual([[], ['1.1 a'], ['1.1 a']]);
      await catalog.updateRun({ id: 'run-1', status: 'failed', closedAt: at(10) });
      expect(await kept('train#2')).toEqual(['1.1 a']);
    });

    it('stay when an attempt completes that another has taken over from', async () => {
      await catalog.project({ steps: [aStep()], attempts: [anAttempt({ attempt: 1, status: 'lost' })] });
      await catalog.project({ steps: [aStep()], attempts: [anAttempt({ attempt: 2 })] });
      await catalog.checkpoints.add(stored('c', 2));
      const late = { steps: [aStep({ status: 'completed', output: {} })], attempts: [anAttempt({ attempt: 1, status: 'completed' })] };
      await catalog.project(late);
      expect((await catalog.steps('run-1'))[0]?.status).toBe('running');
      expect(await kept()).toEqual(['2.1 c']);
    }); // prettier-ignore

    it('go with a run that completes, also those of steps that nobody awaited', async () => {
      await catalog.checkpoints.add(stored('a'));
      await catalog.insertRun(aRun({ id: 'run-2' }));
      await catalog.checkpoints.add({ ...stored('a'), run: 'run-2' });
      await catalog.updateRun({ id: 'run-1', status: 'completed', closedAt: at(9) });
      expect(await kept()).toEqual([]);
      expect(await catalog.checkpoints.list('run-2', 'train')).toHaveLength(1);
    });

    it('name their content as long as they are there', async () => {
      await catalog.checkpoints.add(stored('a'));
      expect([...(await catalog.garbage.named())]).toEqual([[digest('a'), { type: 'tree', reason: 'run' }]]);
      await catalog.updateRun({ id: 'run-1', status: 'cancelled', closedAt: at(9) });
      expect([...(await catalog.garbage.named())]).toHaveLength(1);
      expect(await catalog.garbage.forgetTree(['run-1'], at(59))).toBe(true);
      expect([...(await catalog.garbage.named())]).toEqual([]);
      expect(await kept()).toEqual([]);
    });
  });
}
