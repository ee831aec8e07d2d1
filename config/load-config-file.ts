import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { pathToFileURL } from 'node:url';
import { compileFunction } from 'node:vm';
import { ConfigInvalid } from '../sdk/errors.js';

/**
 * What a config file exports as its default, with its own imports bundled and packages taken from where it lies.
 * @throws ConfigInvalid when it cannot be compiled, throws, or exports no object
 */
export async function loadConfigFile(file: string): Promise<Readonly<Record<string, unknown>>> {
  const exported = evaluate(file, await bundle(file));
  const config = defaultExport(exported);
  if (isSettings(config)) return config;
  throw new ConfigInvalid(`${file} has no object as its default export (got ${typeof config}).`, {
    hint: 'Write `export default defineConfig({ … })`.',
    fields: { file },
  });
}

// By shape: under jest the file's objects and errors are of another realm.
const isSettings = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !('then' in value);

const messageOf = (error: unknown): string => {
  const { message } = Object(error) as { readonly message?: unknown };
  return typeof message === 'string' ? message : String(error);
};

async function bundle(file: string): Promise<string> {
  // Imported here: a project without a config file must not pay for the compiler.
  const { build } = await import('esbuild');
  const result = await build({
    entryPoints: [file],
    absWorkingDir: dirname(file),
    bundle: true,
    write: false,
    packages: 'external',
    platform: 'node',
    format: 'cjs',
    target: 'node20',
    supported: { 'dynamic-import': false },
    define: {
      'import.meta.url': JSON.stringify(pathToFileURL(file).href),
      'import.meta.filename': JSON.stringify(file),
      'import.meta.dirname': JSON.stringify(dirname(file)),
    },
    logLevel: 'silent',
  }).catch((error: unknown) => {
    throw new ConfigInvalid(`${file} cannot be compiled: ${compileErrors(error)}`, {
      hint: 'Correct the file and try again.',
      fields: { file },
      cause: error,
    });
  });
  return result.outputFiles[0]?.text ?? '';
}

type BuildMessage = { readonly text: string; readonly location?: { file: string; line: number } | null };

function compileErrors(error: unknown): string {
  const { errors } = error as { readonly errors?: readonly BuildMessage[] };
  if (!Array.isArray(errors)) return String(error);
  return (errors as readonly BuildMessage[])
    .map(({ text, location }) => (location ? `${text} (${location.file}:${location.line})` : text))
    .join('; ');
}

function evaluate(file: string, code: string): unknown {
  const module = { exports: {} as unknown };
  try {
    // Compiled in memory and not written out: packages resolve from the config file's folder, wherever the state lies.
    const run = compileFunction(code, ['module', 'exports', 'require', '__filename', '__dirname'], {
      filename: file,
    });
    run(module, module.exports, createRequire(file), file, dirname(file));
  } catch (error) {
    throw new ConfigInvalid(`${file} threw while it was loaded: ${messageOf(error)}`, {
      hint: 'Correct the file and try again.',
      fields: { file },
      cause: error,
    });
  }
  return module.exports;
}

function defaultExport(exported: unknown): unknown {
  if (typeof exported !== 'object' || exported === null) return exported;
  const { default: value, __esModule: isModule } = exported as { default?: unknown; __esModule?: unknown };
  return 'default' in exported || isModule === true ? value : exported;
}
