// `npm run chaos -- --runs 50 --seed 1`: gets the real parts, builds the package and the suite, and runs it.
import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { build } from 'esbuild';
import { setUp } from '../setup/set-up.mjs';

const root = resolve(import.meta.dirname, '../..');
const args = process.argv.slice(2);
const bundle = join(root, 'node_modules/.cache/millrace-chaos/main.mjs');

const known = process.env.MILLRACE_TEST_PARTS;
const parts = known ?? (args.includes('--plan') ? '{}' : JSON.stringify(await setUp()));

mkdirSync(dirname(bundle), { recursive: true });
await build({
  entryPoints: [join(import.meta.dirname, 'main.ts')],
  bundle: true,
  packages: 'external',
  platform: 'node',
  format: 'esm',
  target: 'node20',
  outfile: bundle,
  logLevel: 'warning',
  plugins: [{ name: 'own-place', setup: keepPlaces }],
});

const child = spawn(process.execPath, [bundle, ...args], {
  cwd: root,
  env: { ...process.env, MILLRACE_TEST_PARTS: parts },
  stdio: 'inherit',
});
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill(signal));
child.on('exit', (code) => (process.exitCode = code ?? 130));

/** Each file goes on finding what lies beside it. */
function keepPlaces({ onLoad }) {
  onLoad({ filter: /\.ts$/ }, ({ path }) => {
    const text = readFileSync(path, 'utf8');
    const place = { 'import.meta.dirname': dirname(path), 'import.meta.filename': path };
    return {
      loader: 'ts',
      contents: text.replace(/import\.meta\.(dirname|filename)/g, (name) => JSON.stringify(place[name])),
    };
  });
}
