import { createContext } from 'node:vm';
import { injectGlobals } from '@temporalio/worker/lib/workflow/vm-shared.js';
import { checkSandboxLoad } from '../../../workers/build/check-sandbox-load.js';
import { openBuilder, small, writeProject } from './project.js';

jest.setTimeout(60_000);

const refused = (name: string): boolean => {
  try {
    checkSandboxLoad(`void ${name};`);
    return false;
  } catch {
    return true;
  }
};

test("the check offers what Temporal's sandbox injects", () => {
  const context = createContext({});
  injectGlobals(context);
  const injected = Object.getOwnPropertyNames(context);
  expect(injected).toEqual(expect.arrayContaining(['assert', 'AbortController', 'AsyncLocalStorage']));
  expect(injected.filter(refused)).toEqual([]);
});

test.each(['process', 'Buffer', 'AbortSignal', 'fetch', 'performance', 'structuredClone', 'setInterval', 'setImmediate'])(
  'and not %s, which is not there',
  (name) => {
    expect(() => checkSandboxLoad(`void ${name};`)).toThrow(`${name} is not defined`);
  },
); // prettier-ignore

test('a package that looks at NODE_ENV while it loads may be used', async () => {
  const builder = await openBuilder();
  const folder = await writeProject({
    ...small,
    'one.pipeline.ts': `import { frozen } from 'freezes';\n${small['one.pipeline.ts']}export const used = frozen;\n`,
    'node_modules/freezes/package.json': '{"name": "freezes", "version": "1.0.0", "main": "index.js"}',
    'node_modules/freezes/index.js': 'exports.frozen = process.env.NODE_ENV !== "production";\n',
  });
  const { record } = await builder.build(folder);
  expect(record.pipelines).toEqual([{ name: 'first', steps: ['one'] }]);
});
