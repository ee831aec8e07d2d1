import { mkdtemp, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { realPart } from '../support/real-parts.js';
import { releaseAll } from '../support/release-at-end.js';
import { checkWorld } from './check-world.js';
import { drawPlan } from './draw-plan.js';
import type { Finding } from './finding.js';
import { type FaultKind, faultKinds } from './plan.js';
import { runPlan } from './run-plan.js';
import { impossibleFaults, startStage } from './stage.js';

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '50' },
    seed: { type: 'string', default: '1' },
    // By commas; `none` for a quiet time.
    faults: { type: 'string', default: faultKinds.join(',') },
    // Runs under way together, and faults that meet them.
    'at-once': { type: 'string', default: '3' },
    'faults-at-once': { type: 'string', default: '3' },
    // Shorter steps and outages.
    short: { type: 'boolean', default: false },
    // Prints what would happen, and starts nothing.
    plan: { type: 'boolean', default: false },
    // Leaves state and logs behind; they stay too when something is off.
    keep: { type: 'boolean', default: false },
  },
});

const say = (text: string): void => void process.stderr.write(`${text}\n`);
const asked = values.faults === 'none' ? [] : values.faults.split(',');
const unknown = asked.filter((kind) => !faultKinds.some((each) => each === kind));
const counts = { runs: Number(values.runs), seed: Number(values.seed), atOnce: Number(values['at-once']), faultsAtOnce: Number(values['faults-at-once']) }; // prettier-ignore
if (unknown.length > 0 || Object.values(counts).some((count) => !Number.isInteger(count) || count < 0)) {
  say(
    `Expected whole numbers and faults of ${faultKinds.join(', ')}; got ${process.argv.slice(2).join(' ')}`,
  );
  process.exit(2);
}

const impossible = impossibleFaults();
const kinds = (asked as FaultKind[]).filter((kind) => impossible[kind] === undefined);
for (const [kind, why] of Object.entries(impossible)) say(`no \`${kind}\` faults here: ${why}`);
const plan = drawPlan({ ...counts, kinds, short: values.short });
if (values.plan) {
  process.stdout.write(`${JSON.stringify(plan, undefined, 2)}\n`);
  process.exit(0);
}
for (const part of ['docker', 'temporal', 's3'] as const) {
  const found = realPart(part);
  if ('missing' in found) {
    say(`${part}: ${found.missing}`);
    process.exit(2);
  }
}

const folder = await mkdtemp(path.join(await realpath(tmpdir()), 'millrace-chaos-'));
let ending: Promise<void> | undefined;
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    if (!ending) say('ending what was started');
    ending ??= releaseAll().finally(() => process.exit(130));
  });
}
const from = performance.now();
let findings: readonly Finding[] = [];
let happened: Readonly<Partial<Record<FaultKind, number>>> = {};
let broken: unknown;
let completed = 0;
try {
  const stage = await startStage(folder, { plan, kinds });
  const ran = await runPlan({ plan, stage, waveMs: values.short ? 180_000 : 360_000, say });
  findings = checkWorld(ran.world);
  happened = ran.happened;
  const wrong = new Set(findings.filter(({ kind }) => kind === 'incomplete' || kind === 'wrong result').map(({ text }) => text.split(':')[0])); // prettier-ignore
  completed = plan.waves.flatMap(({ runs }) => runs).filter(({ id }) => !wrong.has(id)).length;
  for (const odd of stage.workers.flatMap(({ oddEnds }) => oddEnds)) say(`noticed: ${odd}`);
} catch (error) {
  broken = error;
  say(`the suite itself broke: ${error instanceof Error ? error.stack : String(error)}`);
} finally {
  await releaseAll().catch((error: unknown) => {
    broken ??= error;
    say(String(error));
  });
}

for (const { kind, text } of findings) say(`${kind}: ${text}`);
const off = broken !== undefined || findings.length > 0;
if (off || values.keep) say(`kept: ${folder}`);
else await rm(folder, { recursive: true, force: true });
const count = (...kinds: readonly Finding['kind'][]): number => findings.filter(({ kind }) => kinds.includes(kind)).length; // prettier-ignore
process.stdout.write(
  `${JSON.stringify({
    runs: counts.runs,
    completed,
    faults: Object.values(happened).reduce((all, times) => all + times, 0),
    orphans: count('orphan'),
    doubled: count('doubled'),
    lostLogs: count('lost log'),
    untrue: count('untrue state', 'secret shown'),
    seed: counts.seed,
    kinds: happened,
    seconds: Math.round((performance.now() - from) / 1000),
  })}\n`,
);
process.exit(off ? 1 : 0);
