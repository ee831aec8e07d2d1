import type { CheckReport } from '../../../debug/index.js';
import { createDebugTools } from '../../../debug/index.js';
import type { RunHandle } from '../../../client/index.js';
import { describeWith } from '../../support/describe-with.js';
import { runCli } from '../../support/run-cli.js';
import type { TestMillrace } from '../../support/start-millrace.js';
import { startMillrace, writeProject } from '../../support/start-millrace.js';
import { waitFor } from '../../support/wait-for.js';

const steps = (answer: string) => `
import { step } from 'millrace';
import { z } from 'zod';
const out = z.object({ text: z.string() });
export const before = step({ name: 'before', isolation: 'none', input: z.object({}), output: out }, () => ({ text: '${answer}' }));
export const middle = step({ name: 'middle', isolation: 'none', input: z.object({}), output: out }, () => ({ text: '${answer}' }));
export const after = step({ name: 'after', isolation: 'process', input: z.object({}), output: out }, () => ({ text: '${answer}' }));`;
/** Runs of \`long\` have called \`middle\`, those of \`short\` have not. */
const pipeline = (long: string, last = '') => `
import { approval, pipeline } from 'millrace';
import { z } from 'zod';
import { after, before, middle } from './c.steps.js';
export const last = pipeline({ name: 'last', input: z.object({}) }, async () => (await after({})).text);
export const talk = pipeline({ name: 'talk', input: z.object({ long: z.boolean() }) }, async ({ long }) => {
  const said = [(await before({})).text];
  if (long) { ${long} }
  await approval('go');
  return [...said, (await after({})).text, await last({})${last}];
});`;
const call = 'said.push((await middle({})).text);';

describeWith({ temporal: true }, 'checking open runs before a deploy', () => {
  let millrace: TestMillrace;
  const cli = (...args: readonly string[]) =>
    runCli(args, {
      cwd: millrace.project,
      env: { MILLRACE_QUEUE: millrace.config.queue, TEMPORAL_ADDRESS: millrace.temporal.address },
    });
  const atGate = async (long: boolean): Promise<RunHandle> => {
    const run = await millrace.client.start('talk', { long });
    await waitFor(async () => (await run.view()).approvals.length > 0, { what: 'the open gate' });
    return run;
  };
  const change = (answer: string, long: string, last?: string) =>
    writeProject(millrace.project, { 'c.steps.ts': steps(answer), 'c.pipeline.ts': pipeline(long, last) });
  const check = async (...flags: readonly string[]) => {
    const { exitCode, stdout, stderr } = await cli('check', '--json', ...flags);
    const report = JSON.parse(stdout.trim().split('\n').at(-1)!) as CheckReport;
    return {
      exitCode,
      report,
      said: stderr,
      verdicts: Object.fromEntries(report.runs.map(({ run, verdict }) => [run, verdict])),
    };
  };

  beforeAll(async () => {
    millrace = await startMillrace({
      files: { 'c.steps.ts': steps('old'), 'c.pipeline.ts': pipeline(call) },
      env: { MILLRACE_EXECUTOR: 'process' },
    });
  });

  test('says which open runs would go on with the new code and which would break, and where; and publishes nothing', async () => {
    expect((await cli('check')).stdout).toMatch(
      /^No run is open: nothing holds build [0-9a-f]{16} back\.\n$/,
    );
    const [short, long] = [await atGate(false), await atGate(true)];
    // In this process, which made the build: the package's own is another one.
    await using tools = await createDebugTools({
      config: millrace.config,
      address: millrace.temporal.address,
    });
    expect(await tools.check()).toMatchObject({
      ok: true,
      build: (await millrace.client.currentBuild()).id,
      runs: [short, long].map(({ id }) => ({ run: id, verdict: 'same' })),
    });

    const current = await millrace.client.currentBuild();
    await change('new', '');
    const { exitCode, report, said, verdicts } = await check();
    expect({ exitCode, verdicts }).toEqual({
      exitCode: 1,
      verdicts: { [short.id]: 'clean', [long.id]: 'breaks' },
    });
    expect(report.ok).toBe(false);
    expect(report.build).not.toBe(current.id);
    expect(report.runs[1]?.divergence).toMatchObject({
      step: 'middle',
      what: expect.stringMatching(/the history has step `middle`; the code /),
    });
    expect(said).toMatch(
      /Build [0-9a-f]{16}, 2 open runs: 1 would go on with it, 1 would break on it and stay on theirs\.\n$/,
    );
    expect(await millrace.client.currentBuild()).toEqual(current);

    for (const run of [short, long]) {
      await run.decide('go', { decision: 'approved' });
      await run.result();
    }
    expect(await check()).toMatchObject({ exitCode: 0, report: { ok: true, runs: [] } });
  });
});
