import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { isMillraceError } from '../../../sdk/errors.js';
import type { MillraceError } from '../../../sdk/errors.js';
import type { ProjectBuild } from '../../../workers/build/build-project.js';
import type { Builder, Files } from './project.js';
import { openBuilder, project, small, specOf, writeFiles, writeProject } from './project.js';

jest.setTimeout(60_000);
let builder: Builder;
beforeAll(async () => {
  builder = await openBuilder();
});

/** A bundle with the texts that its inline source maps carry. */
const withSources = (code: string): string =>
  code.replaceAll(
    /sourceMappingURL=data:application\/json[^,]*;base64,([A-Za-z0-9+/=]+)/g,
    (_, map: string) => Buffer.from(map, 'base64').toString().replaceAll('\\"', '"'),
  );

/** The error of a build that must not be made. */
async function refusal(files: Files): Promise<MillraceError> {
  try {
    await builder.build(await writeProject(files));
  } catch (error) {
    if (isMillraceError(error)) return error;
    throw error;
  }
  throw new Error('the project was built');
}

describe('a project', () => {
  let folder: string;
  let first: ProjectBuild;
  beforeAll(async () => {
    folder = await writeProject(project);
    first = await builder.build(folder);
  });

  it('is recorded with its pipelines, its steps and where their content lies', async () => {
    const { record } = first;
    expect(record.pipelines).toEqual([{ name: 'credit', steps: ['shout', 'train'] }]);
    const { source, code } = specOf(first, 'train');
    expect(await builder.store.entries(source!.digest)).toMatchObject([{ path: 'train.py' }]);
    expect(await builder.store.has(code!)).toBe(true);
    expect(specOf(first, 'shout').source).toBeUndefined();
    expect(await builder.catalog.currentBuild('q')).toEqual(JSON.parse(JSON.stringify(record)));
  });

  it('is the same build from another folder, at another depth', async () => {
    const again = await builder.build(await writeProject(project, 'some/where/else'));
    expect(again.record.id).toBe(first.record.id);
    expect(again.record.steps).toEqual(first.record.steps);
    expect(again.record.workflowBundle).toBe(first.record.workflowBundle);
    expect(again.record.nodeBundle).toBe(first.record.nodeBundle);
  });

  it('names in its code no place on this machine', async () => {
    const code = await text(await builder.store.read(first.record.nodeBundle));
    expect(code).not.toContain(folder);
    expect(code).not.toContain(path.resolve(import.meta.dirname, '../../..'));
    expect(code).not.toMatch(/"\.\.\/[^"\n]*"\(/);
  });

  it('keeps all code of its steps out of what Temporal replays and clients load', async () => {
    for (const digest of [first.record.workflowBundle, first.record.nodeBundle]) {
      const code = withSources(await text(await builder.store.read(digest)));
      expect(code).toContain('"shout"');
      for (const trace of [
        'only in the step',
        'inside the package',
        'dockerode',
        'node:fs',
        '/etc/hostname',
        'Math.min(limit',
      ])
        expect(code.includes(trace) ? trace : 'clean').toBe('clean');
    }
  });

  it('gives each step a bundle with its own code only', async () => {
    const code = async (name: string) => text(await builder.store.read(specOf(first, name).code!.digest));
    expect(await code('shout')).toMatch(/only in the step[^]*Math\.min\(limit/);
    expect(await code('shout')).toContain('inside the package');
    expect(await code('train')).not.toContain('Math.min(limit');
    expect(await code('train')).not.toContain('only in the step');
  });

  it('watches what a build is made of', () => {
    for (const name of ['credit.pipeline.ts', 'credit.steps.ts', 'double.ts', 'trainer'])
      expect(first.watched).toContain(path.join(folder, name));
    expect(first.watched.filter((file) => /node_modules|millrace-entry/.test(file))).toEqual([]);
  });

  it('is another build when a source folder changes: that step has another source, no step other code', async () => {
    const edited = await writeProject({ ...project, 'trainer/train.py': 'print("training more")\n' });
    const changed = await builder.build(edited);
    expect(changed.record.id).not.toBe(first.record.id);
    expect(specOf(changed, 'train').source).not.toEqual(specOf(first, 'train').source);
    expect(specOf(changed, 'train').code).toEqual(specOf(first, 'train').code);
    expect(specOf(changed, 'shout')).toEqual(specOf(first, 'shout'));
    expect((await builder.catalog.build(first.record.id))?.workflowBundle).toBe(first.record.workflowBundle);
  });

  it('changes the code of the step that is edited, or whose helper or constant is, and of no other', async () => {
    const edits: Files[] = [
      { 'credit.steps.ts': project['credit.steps.ts']!.replace('/etc/hostname', '/etc/hosts') },
      { 'credit.steps.ts': project['credit.steps.ts']!.replace('limit = 10', 'limit = 11') },
      { 'double.ts': 'export const double = (count: number): number => count + count;\n' },
    ];
    const builds = await Promise.all(
      edits.map(async (edit) => builder.build(await writeProject({ ...project, ...edit }))),
    );
    expect(new Set([first, ...builds].map((each) => specOf(each, 'shout').code!.digest)).size).toBe(4);
    expect(new Set([first, ...builds].map((each) => specOf(each, 'train').code!.digest)).size).toBe(1);
    expect(new Set([first, ...builds].map(({ record }) => record.id)).size).toBe(4);
  });

  it('is stored again when its bundle has gone from the store', async () => {
    const other = await openBuilder();
    await other.catalog.publishBuild(first.record);
    const { record } = await other.build(folder);
    expect(record.id).toBe(first.record.id);
    expect(await other.store.has({ digest: record.workflowBundle, type: 'file' })).toBe(true);
    expect(await other.store.has({ digest: record.nodeBundle, type: 'file' })).toBe(true);
  });
});

it('finds steps that a file exports as its default, twice, or hands on from another', async () => {
  const built = await builder.build(
    await writeProject({
      'a.steps.ts': `
import { step } from 'millrace';
import { z } from 'zod';
const io = { input: z.object({}), output: z.object({}) };
export default step({ name: 'usual', ...io }, () => ({}));
export const twice = step({ name: 'twice', ...io }, () => ({}));
export { twice as again };
`,
      'lib/b.steps.ts': "export { default as usual, twice } from '../a.steps.js';\n",
      'lib/b.pipeline.ts': `
import { pipeline } from 'millrace';
import { z } from 'zod';
import { usual, twice } from './b.steps.js';
export const handedOn = pipeline({ name: 'handedOn', input: z.object({}) }, async () => [await usual({}), await twice({})]);
`,
      'a.pipeline.ts': `
import { pipeline } from 'millrace';
import { z } from 'zod';
import usual, { again } from './a.steps.js';
export const direct = pipeline({ name: 'direct', input: z.object({}) }, async () => [await usual({}), await again({})]);
`,
    }),
  );
  expect(built.record.pipelines).toEqual([
    { name: 'direct', steps: ['twice', 'usual'] },
    { name: 'handedOn', steps: ['twice', 'usual'] },
  ]);
});

test('a pipeline counts only the steps it can call, though its steps file has more', async () => {
  const io = `isolation: 'none', input: z.object({}), output: z.object({})`;
  const pipelineOf = (name: string, step: string) => `
import { pipeline } from 'millrace';
import { z } from 'zod';
import { ${step} } from './both.steps.js';
export const ${name} = pipeline({ name: '${name}', input: z.object({}) }, async () => ${step}({}));`;
  const built = await builder.build(
    await writeProject({
      'both.steps.ts': `
import { step } from 'millrace';
import { z } from 'zod';
export const one = step({ name: 'one', ${io} }, () => ({}));
export const two = step({ name: 'two', ${io} }, () => ({}));`,
      'a.pipeline.ts': pipelineOf('first', 'one'),
      'b.pipeline.ts': pipelineOf('second', 'two'),
    }),
  );
  expect(built.record.pipelines).toEqual([
    { name: 'first', steps: ['one'] },
    { name: 'second', steps: ['two'] },
  ]);
});

test('a pipeline counts its steps also as a default export of a package that says it has no side effects', async () => {
  const built = await builder.build(
    await writeProject({
      ...small,
      'package.json': '{"name": "quiet", "type": "module", "sideEffects": false}',
      'one.pipeline.ts': small['one.pipeline.ts']!.replace('export const first =', 'export default'),
    }),
  );
  expect(built.record.pipelines).toEqual([{ name: 'first', steps: ['one'] }]);
});

test('a file is bundled alike whichever way it is imported, so that a build has one id', async () => {
  const importing = async (specifier: string) => {
    const folder = await writeProject({
      ...small,
      'tsconfig.json': '{"compilerOptions": {"strict": true}}',
      'limits.ts': 'export const limit = 3;\n',
      'one.pipeline.ts': `import { limit } from '${specifier}';\n${small['one.pipeline.ts']}export const used = limit;\n`,
    });
    return (await builder.build(folder)).record.id;
  };
  expect(await importing('./limits.js')).toBe(await importing('./limits'));
});

describe('a project is refused', () => {
  it('with a pipeline file that reads a global of Node while it loads', async () => {
    const using = `const region = process.env['REGION'];\n${small['one.pipeline.ts']}`;
    const error = await refusal({ ...small, 'one.pipeline.ts': using });
    expect(error.code).toBe('PIPELINE_USES_NODE');
    expect(error.message).toContain('process is not defined');
  });

  it('without pipelines, naming the folder', async () => {
    const error = await refusal({ 'one.steps.ts': small['one.steps.ts']! });
    expect(error).toMatchObject({ code: 'BUILD_FAILED' });
    expect(error.message).toMatch(/^No \*\.pipeline\.ts file is below \/.*millrace-test-\w+\. .*--cwd/);
  });

  it('with two steps of one name, naming both files', async () => {
    const error = await refusal({ ...small, 'deep/two.steps.ts': small['one.steps.ts']! });
    expect(error.code).toBe('DUPLICATE_NAME');
    expect(error.message).toContain('Two steps are named `one`: in deep/two.steps.ts and in one.steps.ts.');
  });

  it('with two pipelines of one name, naming both files', async () => {
    const error = await refusal({ ...small, 'two.pipeline.ts': small['one.pipeline.ts']! });
    expect(error.code).toBe('DUPLICATE_NAME');
    expect(error.message).toContain(
      'Two pipelines are named `first`: in one.pipeline.ts and in two.pipeline.ts.',
    );
  });

  it.each(['fs', 'node:fs', 'node:test'])(
    'with a pipeline that uses %s, naming file and module',
    async (module) => {
      const using = `import * as used from '${module}';\nglobalThis.used = used;\n${small['one.pipeline.ts']}`;
      const error = await refusal({ ...small, 'one.pipeline.ts': using });
      expect(error.code).toBe('PIPELINE_USES_NODE');
      expect(error.fields).toEqual({ file: 'one.pipeline.ts', module });
      expect(error.message).toContain(`one.pipeline.ts imports \`${module}\``);
      expect(error.hint).toContain('*.steps.ts');
    },
  );

  it('with a pipeline whose helper or package uses Node, naming that file', async () => {
    const using = `import { save } from './save.js';\n${small['one.pipeline.ts']}\nsave();`;
    const error = await refusal({
      ...small,
      'one.pipeline.ts': using,
      'save.ts': "import Docker from 'dockerode';\nexport const save = () => new Docker();\n",
      'node_modules/dockerode/index.js': project['node_modules/dockerode/index.js']!,
    });
    expect(error.fields).toEqual({ file: 'node_modules/dockerode/index.js', module: 'fs' });
  });

  it('with a step in a file that is no steps file, naming the step', async () => {
    const error = await refusal({
      'tools.ts': small['one.steps.ts']!,
      'one.pipeline.ts': small['one.pipeline.ts']!.replace('./one.steps.js', './tools.js'),
    });
    expect(error.code).toBe('STEP_OUTSIDE_STEPS_FILE');
    expect(error.message).toContain('Step `one`');
    expect(error.hint).toContain('*.steps.ts');
  });

  it('with a syntax error, naming file and line', async () => {
    const inSteps = await refusal({
      ...small,
      'one.steps.ts': `${small['one.steps.ts']}export const = 1;\n`,
    });
    expect(inSteps.code).toBe('BUILD_FAILED');
    expect(inSteps.message).toContain('one.steps.ts:6: Expected identifier but found "="');
    const inPipeline = await refusal({ ...small, 'one.pipeline.ts': `${small['one.pipeline.ts']}}\n` });
    expect(inPipeline.code).toBe('BUILD_FAILED');
    expect(inPipeline.message).toContain('one.pipeline.ts:6: Unexpected "}"');
  });

  it('with an import that is not there, naming file and line', async () => {
    const error = await refusal({
      ...small,
      'one.steps.ts': `${small['one.steps.ts']}export * from './gone.js';\n`,
    });
    expect(error.message).toContain('one.steps.ts:6: Could not resolve "./gone.js"');
  });

  it('with a file that throws while it is loaded, saying what it threw', async () => {
    const error = await refusal({ ...small, 'one.steps.ts': 'throw new Error("no such luck");' });
    expect(error.code).toBe('BUILD_FAILED');
    expect(error.message).toContain('The steps failed while it was loaded: no such luck.');
  });

  it('with a wrong definition, as the definition says it', async () => {
    const error = await refusal({
      ...small,
      'one.steps.ts': small['one.steps.ts']!.replace("'one'", "'one two'"),
    });
    expect(error.code).toBe('DEFINITION_INVALID');
    expect(error.message).toContain('"one two"');
  });

  it.each([
    ['source', "source: './gone'", './gone of step `one` is not there'],
    ['build context', "image: image.build('./gone')", './gone of step `one` is not there'],
    ['source', "source: 'one.steps.ts'", 'one.steps.ts of step `one` is no folder'],
  ])('with a %s folder that is none, naming folder, step and place: %s', async (_, option, words) => {
    const error = await refusal({
      ...small,
      'one.steps.ts': `
import { image, step } from 'millrace';
import { z } from 'zod';
export const used = image;
export const one = step({ name: 'one', command: ['true'], input: z.object({}), output: z.object({}), ${option} });
`,
    });
    expect(error.code).toBe('BUILD_FAILED');
    expect(error.message).toContain(`The folder ${words} (looked for from `);
    expect(error.message).toMatch(/looked for from \/.*millrace-test-\w+\)/);
  });
});

it('leaves built and hidden folders and dependencies alone', async () => {
  const folder = await writeProject(small);
  const before = await builder.build(folder);
  for (const place of ['dist', 'node_modules/other', '.millrace/cache', 'coverage'])
    await writeFiles(path.join(folder, place), { 'one.steps.ts': small['one.steps.ts']! });
  expect((await builder.build(folder)).record.id).toBe(before.record.id);
  expect(await readFile(path.join(folder, 'dist/one.steps.ts'), 'utf8')).toBe(small['one.steps.ts']);
});
