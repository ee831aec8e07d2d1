import { execFileSync } from 'node:child_process';
import { mkdir, rename, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { tailEvents } from '../../../activities/event-tail.js';
import { lastLines } from '../../../activities/last-lines.js';
import { readValues, storeArtifacts } from '../../../activities/step-outputs.js';
import { largestValue } from '../../../sdk/check-size.js';
import { file } from '../../../sdk/artifact.js';
import { STEP, step } from '../../../sdk/step.js';
import { openArtifactStore } from '../../../store/open-artifact-store.js';
import { temporaryFolder } from '../../support/temporary-folder.js';
import { storedSpec } from '../../support/stored-spec.js';

const definition = step({
  name: 'sly',
  command: ['sh', '-c', 'x > {out.text}'],
  input: z.object({}),
  output: z.object({ text: z.string().optional(), data: file().optional() }),
})[STEP];
const spec = storedSpec(definition.spec);
const values = (folder: string) => readValues({ spec, output: definition.output }, folder);

async function stepFolder(): Promise<{ readonly folder: string; readonly secret: string }> {
  const root = await temporaryFolder();
  const secret = path.join(root, 'host-file');
  await writeFile(secret, 'what belongs to the host\n');
  const folder = path.join(root, '1');
  await mkdir(path.join(folder, 'out'), { recursive: true });
  return { folder, secret };
}

test('a link that a step made leads the worker to no file of the host', async () => {
  const { folder, secret } = await stepFolder();
  await symlink(secret, path.join(folder, 'out/text'));
  expect(await values(folder)).toEqual({});
  await symlink(secret, path.join(folder, 'output.json'));
  expect(await values(folder)).toEqual({});
});

test('an out/ that was replaced by a link is refused', async () => {
  const { folder, secret } = await stepFolder();
  await rename(path.join(folder, 'out'), path.join(folder, 'old'));
  await symlink(path.dirname(secret), path.join(folder, 'out'));
  const store = await openArtifactStore(`file:${await temporaryFolder()}`);
  const storing = storeArtifacts({ spec, folder, values: {}, store, signal: new AbortController().signal });
  await expect(storing).rejects.toMatchObject({ code: 'UNSAFE_OUTPUT' });
});

test('a pipe in the place of a file holds nobody up', async () => {
  const { folder } = await stepFolder();
  for (const name of ['output.json', 'events.jsonl', 'out/text'])
    execFileSync('mkfifo', [path.join(folder, name)]);
  expect(await values(folder)).toEqual({});
  const tail = tailEvents(path.join(folder, 'events.jsonl'), {
    onEvent: () => {},
    onGarbage: () => {},
    intervalMs: 5,
  });
  await tail[Symbol.asyncDispose]();
});

test('values larger than what may travel are refused with what to do', async () => {
  const { folder } = await stepFolder();
  await writeFile(path.join(folder, 'output.json'), JSON.stringify({ text: 'x'.repeat(largestValue) }));
  await expect(values(folder)).rejects.toMatchObject({
    code: 'STEP_OUTPUT_INVALID',
    hint: expect.stringContaining('artifact'),
  });
});

test('the end of a long log is read without the rest', async () => {
  const log = path.join(await temporaryFolder(), 'log');
  await writeFile(log, Array.from({ length: 200_000 }, (_, index) => `line ${index}`).join('\n') + '\n');
  expect(await lastLines(log, 3)).toEqual(['line 199997', 'line 199998', 'line 199999']);
  expect(await lastLines(path.join(log, 'nowhere'), 3)).toEqual([]);
});
