import type { Catalog } from '../../../store/catalog.js';
import { aModel, anApproval, anEdge, aRef, aRun, at, aVersion, digest } from './records.js';

/** How every catalog is asked who read and made which content. */
export function edgesContract(name: string, open: () => Promise<Catalog>): void {
  describe(`The edges of the catalog on ${name}`, () => {
    let catalog: Catalog;
    beforeEach(async () => {
      catalog = await open();
    });
    afterEach(() => catalog[Symbol.asyncDispose]());
    const report = aRef({ digest: digest('c'), name: 'report' });

    it('give the steps that read or made content, oldest first, and how many there are', async () => {
      const read = [3, 1, 2].map((second) => anEdge({ run: `run-${second}`, direction: 'input', at: at(second) }));
      await catalog.project({ artifacts: [...read, anEdge({ artifact: report }), anEdge({ field: 'b' })] });
      const { items, total } = await catalog.edges.steps(digest('a'), 'input', 2);
      expect(items).toEqual([read[1], read[2]]);
      expect(total).toBe(3);
      expect(await catalog.edges.steps(digest('a'), 'output', 9)).toEqual({ items: [anEdge({ field: 'b' })], total: 1 });
      expect(await catalog.edges.steps(digest('f'), 'output', 9)).toEqual({ items: [], total: 0 });
    }); // prettier-ignore

    it('give versions by their bytes alone, and decisions by version and evidence', async () => {
      const version = await catalog.registerVersion(aVersion({ evidence: { model: aRef() } }));
      for (let index = 2; index <= 12; index += 1)
        await catalog.registerVersion(aVersion({ run: `run-${index}`, model: { ...aModel(), digest: digest('d') } }));
      expect(await catalog.edges.versions(aModel().digest)).toEqual([version]);
      expect(await catalog.edges.versions(aRef().digest)).toEqual([]);
      const of = (number: number) => ({ name: 'mortgage', version: number, model: aModel() });
      await catalog.openApproval(anApproval({ of: of(1), evidence: { report } }));
      await catalog.openApproval(anApproval({ run: 'run-2', of: of(12) }));
      await catalog.openApproval(anApproval({ run: 'run-3', of: { ...of(1), name: 'other' } }));
      expect(await catalog.edges.approvalsOf(version)).toMatchObject([{ run: 'run-1' }]);
      await catalog.recordGate({ run: 'run-1', path: 'quality', outcome: { gate: 'quality', outcome: 'pass', checks: {} }, evidence: [report], at: at(1) });
      const decisions = await catalog.edges.decisions(report.digest, 9);
      expect(decisions).toMatchObject({ gates: [{ path: 'quality' }], approvals: [{ path: 'release' }] });
      expect(await catalog.edges.decisions(digest('e'), 9)).toEqual({ gates: [], approvals: [] });
    }); // prettier-ignore

    it('give runs by what they were given, and digests by their beginning', async () => {
      await catalog.insertRun(aRun({ id: 'later', input: { csv: report }, startedAt: at(2) }));
      await catalog.insertRun(aRun({ id: 'first', input: { many: [report] }, startedAt: at(1) }));
      await catalog.project({ artifacts: [anEdge(), anEdge({ field: 'b', artifact: aRef({ digest: `sha256:${'a'.repeat(63)}b` }) })] });
      await catalog.registerVersion(aVersion());
      expect(await catalog.edges.runsGiven(report.digest, 1)).toEqual(['first']);
      expect(await catalog.edges.runsGiven(digest('a'), 9)).toEqual([]);
      expect(await catalog.edges.beginning('sha256:aaaa', 9)).toEqual([digest('a'), `sha256:${'a'.repeat(63)}b`]);
      expect(await catalog.edges.beginning('sha256:bbbb', 9)).toEqual([aModel().digest]);
      expect(await catalog.edges.beginning('sha256:cccc', 9)).toEqual([report.digest]);
      expect(await catalog.edges.beginning('sha256:ab', 9)).toEqual([]);
    }); // prettier-ignore
  });
}
