import type { Catalog } from '../../../store/catalog.js';
import { aBuild, anAttempt, aRun, at } from './records.js';

const toB = (run: string, second = 5) => ({ run, home: 'build-1', build: 'b', at: at(second) });

/** What every catalog knows of runs that another build's code serves. */
export function movesContract(name: string, open: () => Promise<Catalog>): void {
  describe(`The moves of the catalog on ${name}`, () => {
    let catalog: Catalog;
    beforeEach(async () => {
      catalog = await open();
      await catalog.publishBuild(aBuild());
      await catalog.insertRun(aRun());
      await catalog.insertRun(aRun({ id: 'run-2' }));
    });
    afterEach(() => catalog[Symbol.asyncDispose]());

    it('are of open runs of a queue, and a run that is moved on keeps its home', async () => {
      const { moves } = catalog;
      expect(await moves.open('millrace')).toEqual([]);
      await moves.begin(aBuild({ id: 'b' }), [toB('run-1'), toB('run-2')]);
      expect(await moves.open('millrace')).toEqual([toB('run-1'), toB('run-2')]);
      expect(await moves.open('other')).toEqual([]);
      await moves.begin(aBuild({ id: 'c' }), [{ run: 'run-1', home: 'b', build: 'c', at: at(7) }]);
      expect(await moves.of('run-1')).toEqual({ run: 'run-1', home: 'build-1', build: 'c', at: at(7) });
      await catalog.updateRun({ id: 'run-2', status: 'completed', closedAt: at(8) });
      expect((await moves.open('millrace')).map(({ run }) => run)).toEqual(['run-1']);
    });

    it('are taken back to what they were, but not those that another has noted since', async () => {
      const { moves } = catalog;
      const [first, second] = [toB('run-1', 5), { ...toB('run-1', 6), build: 'c' }];
      await moves.begin(aBuild({ id: 'b' }), [first]);
      await moves.begin(aBuild({ id: 'c' }), [second]);
      await moves.takeBack(first, undefined);
      await moves.takeBack({ ...second, at: at(7) }, undefined);
      await moves.takeBack({ ...first, at: at(6) }, { ...first, build: 'a' });
      expect(await moves.of('run-1')).toEqual(second);
      await moves.takeBack(second, first);
      expect(await moves.of('run-1')).toEqual(first);
      await moves.takeBack(first, undefined);
      expect(await moves.of('run-1')).toBeUndefined();
    });

    it('that are found out do not change what is noted', async () => {
      const { moves } = catalog;
      await moves.add(toB('run-1'));
      await moves.add({ ...toB('run-1', 6), build: 'c' });
      expect(await moves.of('run-1')).toEqual(toB('run-1'));
    });

    it('keep a build that no run starts on, until it is published', async () => {
      await catalog.moves.begin(aBuild({ id: 'b' }), [toB('run-1')]);
      expect(await catalog.build('b')).toEqual(aBuild({ id: 'b' }));
      expect((await catalog.currentBuild('millrace'))?.id).toBe('build-1');
      await catalog.moves.begin(aBuild(), []);
      expect((await catalog.currentBuild('millrace'))?.id).toBe('build-1');
      await catalog.publishBuild(aBuild({ id: 'b' }));
      expect((await catalog.currentBuild('millrace'))?.id).toBe('b');
      await catalog.moves.begin(aBuild({ id: 'alone', queue: 'empty' }), []);
      expect(await catalog.currentBuild('empty')).toBeUndefined();
    });

    it('hold builds in between, whose code attempts ran, too', async () => {
      const { garbage, moves } = catalog;
      for (const id of ['b', 'c']) await moves.begin(aBuild({ id }), [{ ...toB('run-1'), build: id }]);
      await catalog.updateRun({ id: 'run-1', build: 'c' });
      await catalog.publishBuild(aBuild({ id: 'b', createdAt: at(1) }));
      await catalog.publishBuild(aBuild({ id: 'last', createdAt: at(2) }));
      const plan = async () => (await garbage.plan({ runs: at(30), builds: at(30) })).builds;
      const b = { id: 'b', queue: 'millrace' };
      expect(await plan()).toEqual([b]);
      await catalog.project({ attempts: [anAttempt({ build: 'b' })] });
      expect(await plan()).toEqual([]);
      expect(await garbage.forgetBuilds([b])).toEqual([]);
      await catalog.updateRun({ id: 'run-1', status: 'completed', closedAt: at(9) });
      expect((await plan()).map(({ id }) => id)).toContain('b');
      await garbage.forgetTree(['run-1'], at(30));
      expect(await garbage.forgetBuilds([b])).toEqual([b]);
    });

    it('hold both builds against garbage collection while their run is there, and go with it', async () => {
      const { garbage, moves } = catalog;
      await moves.begin(aBuild({ id: 'b' }), [toB('run-1')]);
      await catalog.updateRun({ id: 'run-1', build: 'b' });
      await catalog.updateRun({ id: 'run-2', build: 'b' });
      await catalog.publishBuild(aBuild({ id: 'last', createdAt: at(1) }));
      const plan = () => garbage.plan({ runs: at(30), builds: at(30) });
      expect((await plan()).builds).toEqual([]);
      expect(
        await garbage.forgetBuilds([
          { id: 'build-1', queue: 'millrace' },
          { id: 'b', queue: 'millrace' },
        ]),
      ).toEqual([]);
      for (const id of ['run-1', 'run-2'])
        await catalog.updateRun({ id, status: 'completed', closedAt: at(9) });
      expect((await plan()).builds.map(({ id }) => id).sort()).toEqual(['b', 'build-1']);
      await garbage.forgetTree(['run-1'], at(30));
      expect(await moves.of('run-1')).toBeUndefined();
    });
  });
}
