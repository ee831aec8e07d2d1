// `npm test`: set-up, build, lint, then the tests, quick ones first. Arguments go to jest and narrow the run to those tests:
// `npm test -- test/unit/store -t 'whole or not at all'`. The last line is `N passed, N failed`, with `, N skipped` where some were.
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { setUp } from './setup/set-up.mjs';

const root = resolve(import.meta.dirname, '..');
const bin = (name) => join(root, 'node_modules/.bin', name);
const ci = process.env.CI === 'true';
const args = process.argv.slice(2);

/** Each kind of test, how long it may take in all before it is stopped, and what jest is told. */
const projects = [
  { name: 'unit', minutes: 10, flags: ['--maxWorkers=2'] },
  { name: 'replay', minutes: 10, flags: ['--maxWorkers=2'] },
  { name: 'e2e', minutes: 40, flags: ['--maxWorkers=2'] },
];
const named = projects.filter(({ name }) => args.some((arg) => arg.includes(`test/${name}`)));
const chosen = named.length > 0 ? named : projects;

const children = new Set();
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.on(signal, () => {
    for (const child of children) stop(child, signal);
    process.exit(130);
  });
}

const total = { passed: 0, failed: 0, skipped: 0 };
const problems = [];
const left = new Map();
const times = [];
const folder = mkdtempSync(join(tmpdir(), 'millrace-test-'));
try {
  const parts =
    chosen.every(({ name }) => name === 'unit') && !ci ? undefined : await timed('set-up', findParts);
  const env = parts ? { MILLRACE_TEST_PARTS: JSON.stringify(parts) } : {};
  if (args.length === 0) {
    await timed('build', () => check('build', process.execPath, [join(root, 'test/setup/build.mjs')]));
    await timed('lint', async () => {
      await check('oxlint', bin('oxlint'), ['--type-aware', '--deny-warnings']);
      await check('prettier', bin('prettier'), ['--check', '--log-level', 'warn', '.']);
      await check('tsc', bin('tsc'), ['--noEmit', '--pretty', 'false']);
    });
  }
  for (const project of chosen) await timed(project.name, () => runTests(project, env));
} finally {
  rmSync(folder, { recursive: true, force: true });
}
report();

async function findParts() {
  const parts = await setUp();
  for (const [name, { found, missing }] of Object.entries(parts)) {
    say(`  ${name}: ${found ?? `MISSING, ${missing}`}`);
    if (ci && missing) fail(`set-up: ${name}: ${missing}`);
  }
  return parts;
}

async function check(name, command, commandArgs) {
  const code = await run({ command, args: commandArgs, minutes: 10 });
  if (code !== 0) fail(`${name} failed`);
}

async function runTests({ name, minutes, flags }, env) {
  const file = join(folder, `${name}.json`);
  const code = await run({
    command: process.execPath,
    args: [
      join(root, 'node_modules/jest/bin/jest.js'),
      '--json',
      `--outputFile=${file}`,
      `--selectProjects=${name}`,
      '--passWithNoTests',
      ...(ci ? ['--ci'] : []),
      ...flags,
      ...args,
    ],
    env,
    minutes,
  });
  const result = readResult(file);
  if (!result) return fail(`${name}: jest ended with ${code} and left no result`);
  total.passed += result.numPassedTests;
  total.failed += result.numFailedTests;
  total.skipped += result.numPendingTests + result.numTodoTests;
  for (const suite of result.testResults) noteSuite(suite);
  if (code !== 0 && result.success) fail(`${name}: jest ended with ${code}`);
}

function readResult(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return undefined;
  }
}

function noteSuite({ name, status, message, assertionResults }) {
  const path = name.slice(root.length + 1);
  if (status === 'failed' && !assertionResults.some((test) => test.status === 'failed')) {
    fail(`${path}: ${firstLine(message) || 'the file could not be run'}`);
  }
  for (const { status: outcome, ancestorTitles, fullName } of assertionResults) {
    if (outcome === 'failed') problems.push(`${path}: ${fullName}`);
    const reason = ancestorTitles.find((title) => title.includes('[skipped: '));
    if (outcome === 'pending' && reason)
      left.set(`${path}: ${reason}`, (left.get(`${path}: ${reason}`) ?? 0) + 1);
  }
}

function report() {
  const tests = total.passed + total.failed + total.skipped;
  if (args.length > 0 && tests === 0) fail(`no test fits ${args.join(' ')}`);
  if (ci && args.length === 0 && total.skipped > 0) fail(`CI=true and ${total.skipped} tests were skipped`);
  say(`\n${times.map(([name, seconds]) => `${name} ${seconds.toFixed(1)} s`).join(' · ')}`);
  for (const [suite, count] of left) say(`SKIPPED ${count} tests: ${suite}`);
  for (const problem of problems) say(`FAILED ${problem}`);
  process.stdout.write(
    `${total.passed} passed, ${total.failed} failed${total.skipped > 0 ? `, ${total.skipped} skipped` : ''}\n`,
  );
  process.exitCode = total.failed > 0 ? 1 : 0;
}

/** For what is not a test of its own: it counts as one failed. */
function fail(problem) {
  total.failed += 1;
  problems.push(problem);
}

async function timed(name, work) {
  say(`— ${name}`);
  const from = performance.now();
  const result = await work();
  const seconds = (performance.now() - from) / 1000;
  times.push([name, seconds]);
  say(`— ${name}: ${seconds.toFixed(1)} s`);
  return result;
}

/** A program in a group of its own, so that whatever it started can be stopped with it. Resolves to its exit code. */
function run({ command, args: programArgs, env = {}, minutes }) {
  return new Promise((resolvePromise) => {
    const child = spawn(command, programArgs, {
      cwd: root,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'inherit', 'inherit'],
      detached: true,
    });
    children.add(child);
    const limit = setTimeout(() => {
      say(`${programArgs[0]} has run for ${minutes} minutes and is stopped`);
      stop(child, 'SIGKILL');
    }, minutes * 60_000);
    const end = (code) => {
      clearTimeout(limit);
      children.delete(child);
      resolvePromise(code ?? 'a signal');
    };
    child.on('error', (error) => {
      say(`${command} did not start: ${error.message}`);
      end(127);
    });
    child.on('close', end);
  });
}

function stop(child, signal) {
  try {
    process.kill(-child.pid, signal);
  } catch {
    // It has ended by itself.
  }
}

function firstLine(text) {
  const lines = stripVTControlCharacters(text).split('\n');
  return lines.map((line) => line.trim()).find((line) => line && !line.startsWith('●'));
}

function say(text) {
  process.stderr.write(`${text}\n`);
}
