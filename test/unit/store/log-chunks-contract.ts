import type { Catalog } from '../../../store/catalog.js';
import { anAttempt, aRun, at, digest } from './records.js';

const place = { run: 'run-1', path: 'train', attempt: 1 };
const chunk = (digit: string, position: number, fields: Partial<typeof place> = {}) => ({
  ...place,
  position,
  digest: digest(digit),
  size: 2 ** 33,
  firstAt: '2026-01-01T00:00:03.123456789Z',
  lastAt: at(4),
  ...fields,
});

/** What every catalog keeps of the logs of attempts that run. */
export function logChunksContract(name: string, open: () => Promise<Catalog>): void {
  describe(`The chunks of logs of the catalog on ${name}`, () => {
    let catalog: Catalog;
    beforeEach(async () => {
      catalog = await open();
      await catalog.insertRun(aRun());
    });
    afterEach(() => catalog[Symbol.asyncDispose]());

    it('follow one another without gap or double, in their order', async () => {
      const { logChunks } = catalog;
      expect(await logChunks.next(place)).toBe(0);
      expect(await logChunks.list(place)).toEqual([]);
      expect(await logChunks.add(chunk('a', 0))).toBe(2 ** 33);
      expect(await logChunks.add(chunk('b', 2 ** 33))).toBe(2 ** 34);
      // Of a worker that does not know of the second one.
      expect(await logChunks.add(chunk('c', 2 ** 33))).toBe(2 ** 34);
      expect(await logChunks.add(chunk('c', 2 ** 35))).toBe(2 ** 34);
      expect(await logChunks.next(place)).toBe(2 ** 34);
      expect(await logChunks.list(place)).toEqual([
        { ...chunk('a', 0), sequence: 1 },
        { ...chunk('b', 2 ** 33), sequence: 2 },
      ]);
      expect((await logChunks.list(place, 1)).map(({ sequence }) => sequence)).toEqual([2]);
      expect(await logChunks.list(place, 2)).toEqual([]);
    });

    it('are those of one attempt each', async () => {
      const { logChunks } = catalog;
      await logChunks.add(chunk('a', 0));
      await logChunks.add(chunk('b', 0, { attempt: 2 }));
      await logChunks.add(chunk('c', 0, { path: 'train#2' }));
      expect((await logChunks.list({ ...place, attempt: 2 })).map((each) => each.digest)).toEqual([digest('b')]);
      expect((await logChunks.list({ ...place, path: 'train#2' })).map((each) => each.digest)).toEqual([digest('c')]);
    }); // prettier-ignore

    it('are taken when many come at once, each once', async () => {
      await Promise.all(Array.from({ length: 5 }, () => catalog.logChunks.add(chunk('a', 0))));
      expect(await catalog.logChunks.list(place)).toHaveLength(1);
    });

    it('stay with an attempt that was lost, which adds no more', async () => {
      const { logChunks } = catalog;
      await catalog.project({ attempts: [anAttempt()] });
      await logChunks.add(chunk('a', 0));
      await catalog.project({ attempts: [anAttempt({ status: 'lost', closedAt: at(9) })] });
      expect(await logChunks.add(chunk('b', 2 ** 33))).toBeUndefined();
      expect(await logChunks.next(place)).toBeUndefined();
      expect(await logChunks.list(place)).toHaveLength(1);
    });

    it('go when the attempt has its log as a whole, also of one that was lost', async () => {
      const { logChunks } = catalog;
      await catalog.project({ attempts: [anAttempt(), anAttempt({ attempt: 2 })] });
      await logChunks.add(chunk('a', 0));
      await logChunks.add(chunk('b', 0, { attempt: 2 }));
      const closed = { closedAt: at(9), log: digest('f') };
      await catalog.project({ attempts: [anAttempt({ ...closed, status: 'completed' })] });
      expect(await logChunks.list(place)).toEqual([]);
      expect(await logChunks.add(chunk('b', 0))).toBeUndefined();
      expect(await logChunks.list({ ...place, attempt: 2 })).toHaveLength(1);
      await catalog.project({ attempts: [anAttempt({ attempt: 2, status: 'lost', closedAt: at(9) })] });
      await catalog.project({ attempts: [anAttempt({ ...closed, attempt: 2, status: 'lost' })] });
      expect(await logChunks.list({ ...place, attempt: 2 })).toEqual([]);
      expect((await catalog.attempts('run-1')).map(({ log }) => log)).toEqual([digest('f'), digest('f')]);
    });

    it('give way to a whole log that holds as much at least, and to none where the attempt has one', async () => {
      const { logChunks } = catalog;
      const whole = (digit: string, size: number) => ({ digest: digest(digit), size });
      const row = async () => (await catalog.attempts('run-1'))[0]!;
      expect(await logChunks.replace(place, whole('f', 1))).toBe(false);
      const lost = anAttempt({ status: 'lost', closedAt: at(9) });
      await catalog.project({ attempts: [anAttempt()] });
      await logChunks.add(chunk('a', 0));
      await catalog.project({ attempts: [lost] });
      expect(await logChunks.replace(place, whole('f', 2 ** 33 - 1))).toBe(false);
      expect([(await row()).log, (await logChunks.list(place)).length]).toEqual([undefined, 1]);
      expect(await logChunks.replace(place, whole('f', 2 ** 33))).toBe(true);
      expect(await row()).toEqual({ ...lost, log: digest('f') });
      expect(await logChunks.list(place)).toEqual([]);
      expect(await logChunks.replace(place, whole('e', 2 ** 34))).toBe(false);
      expect((await row()).log).toBe(digest('f'));
    });

    it('name their content as long as they are there, and are taken of no run that is gone', async () => {
      await catalog.logChunks.add(chunk('a', 0));
      expect([...(await catalog.garbage.named())]).toEqual([[digest('a'), { type: 'file', reason: 'run' }]]);
      await catalog.updateRun({ id: 'run-1', status: 'failed', closedAt: at(9) });
      expect([...(await catalog.garbage.named())]).toHaveLength(1);
      expect(await catalog.garbage.forgetTree(['run-1'], at(59))).toBe(true);
      expect(await catalog.logChunks.add(chunk('b', 0))).toBeUndefined();
      expect([...(await catalog.garbage.named())]).toEqual([]);
      expect(await catalog.logChunks.list(place)).toEqual([]);
    });
  });
}
