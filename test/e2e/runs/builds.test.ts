import { readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { openCatalog } from '../../../store/open-catalog.js';
import { describeWith } from '../../support/describe-with.js';
import { startMillrace, writeProject } from '../../support/start-millrace.js';
import { waitFor } from '../../support/wait-for.js';

const pipelineOf = (answer: string) => `
import { approval, pipeline } from 'millrace';
import { z } from 'zod';
import { say } from './say.steps.js';
export const talk = pipeline({ name: 'talk', input: z.object({ wait: z.boolean() }) }, async ({ wait }) => {
  if (wait) await approval('go');
  return { pipeline: '${answer}', ...(await say({})) };
});`;
const stepsOf = (answer: string) => `
import { step } from 'millrace';
import { z } from 'zod';
export const say = step({ name: 'say', isolation: 'none', input: z.object({}), output: z.object({ step: z.string() }) }, () => ({ step: '${answer}' }));`;

describeWith({ temporal: true }, 'builds', () => {
  test('a change makes a new build for new runs; an open run ends on its own; a broken change leaves the last good one', async () => {
    const said: string[] = [];
    const millrace = await startMillrace({
      files: { 'talk.pipeline.ts': pipelineOf('first'), 'say.steps.ts': stepsOf('first') },
      build: 'watch',
      onBuild: (result) => said.push('build' in result ? result.build.id : 'broken'),
    });
    const { client, project, host } = millrace;
    const first = host.build()?.id;
    const open = await client.start('talk', { wait: true });
    await waitFor(async () => (await open.view()).approvals.length > 0, { what: 'the open gate' });

    await writeProject(project, {
      'talk.pipeline.ts': pipelineOf('second'),
      'say.steps.ts': stepsOf('second'),
    });
    await waitFor(
      async () =>
        (await client.currentBuild()).id !== first &&
        ((await (await client.start('talk', { wait: false })).result()) as { step: string }).step ===
          'second',
      { what: 'the second build' },
    );
    expect(await (await client.start('talk', { wait: false })).result()).toEqual({
      pipeline: 'second',
      step: 'second',
    });

    await writeProject(project, { 'talk.pipeline.ts': 'export const broken = ;' });
    await waitFor(() => said.at(-1) === 'broken', { what: 'the broken build' });
    expect(await (await client.start('talk', { wait: false })).result()).toEqual({
      pipeline: 'second',
      step: 'second',
    });
    // Put back as it was, it is the build it was: that it is good again is news.
    await writeProject(project, { 'talk.pipeline.ts': pipelineOf('second') });
    await waitFor(() => said.at(-1) === host.build()?.id, { what: 'the word that it is good again' });

    await open.decide('go', { decision: 'approved', by: 'ada' });
    expect(await open.result()).toEqual({ pipeline: 'first', step: 'first' });
    expect((await open.view()).run.build).toBe(first);
  });

  test('a build whose bundle is lost keeps no other from being served', async () => {
    const millrace = await startMillrace({
      files: { 'talk.pipeline.ts': pipelineOf('lost'), 'say.steps.ts': stepsOf('lost') },
    });
    const { client, config, project } = millrace;
    const open = await client.start('talk', { wait: true });
    await waitFor(async () => (await open.view()).approvals.length > 0, { what: 'the open gate' });
    await millrace.host.stop();
    await using catalog = await openCatalog(config.catalog);
    const digest = (await catalog.currentBuild(config.queue))!.workflowBundle;
    await removeBlob(config.stateDir, digest);
    await writeProject(project, { 'talk.pipeline.ts': pipelineOf('new'), 'say.steps.ts': stepsOf('new') });
    const host = await millrace.startHost();
    expect(await (await client.start('talk', { wait: false })).result()).toEqual({
      pipeline: 'new',
      step: 'new',
    });
    await host.stop();
  });

  test('a worker that starts later serves the builds of open runs, though the project has changed since', async () => {
    const millrace = await startMillrace({
      files: { 'talk.pipeline.ts': pipelineOf('old'), 'say.steps.ts': stepsOf('old') },
    });
    const open = await millrace.client.start('talk', { wait: true });
    await waitFor(async () => (await open.view()).approvals.length > 0, { what: 'the open gate' });
    await millrace.host.stop();
    await writeProject(millrace.project, {
      'talk.pipeline.ts': pipelineOf('new'),
      'say.steps.ts': stepsOf('new'),
    });
    await millrace.startHost();
    await open.decide('go', { decision: 'approved', by: 'ada' });
    expect(await open.result()).toEqual({ pipeline: 'old', step: 'old' });
    expect(await (await millrace.client.start('talk', { wait: false })).result()).toEqual({
      pipeline: 'new',
      step: 'new',
    });
  });
});

async function removeBlob(stateDir: string, digest: string): Promise<void> {
  const hex = digest.slice('sha256:'.length);
  const blobs = (await readdir(stateDir, { recursive: true })).filter((name) =>
    name.replaceAll(path.sep, '').endsWith(hex),
  );
  expect(blobs).toHaveLength(1);
  for (const name of blobs) await rm(path.join(stateDir, name));
}
