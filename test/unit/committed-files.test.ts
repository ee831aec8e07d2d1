import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '../support/build-package.js';
import { runProgram } from '../support/run-program.js';

/** Hosts this machine gets packages from: an address that works here may work nowhere else. */
async function registryHosts(): Promise<string[]> {
  const settings = await Promise.all([
    output('npm', ['config', 'get', 'registry']),
    output('go', ['env', 'GOPROXY']),
    output('python3', ['-m', 'pip', 'config', 'get', 'global.index-url']),
  ]);
  const text = [
    ...settings,
    process.env['GOPROXY'],
    process.env['PIP_INDEX_URL'],
    process.env['npm_config_registry'],
  ].join(' ');
  return [...new Set([...text.matchAll(/https?:\/\/(?:[^@/\s]*@)?([^/:,|\s]+)/g)].map((match) => match[1]!))];
}

async function output(command: string, args: readonly string[]): Promise<string> {
  try {
    return (await runProgram(command, args, { cwd: packageRoot })).stdout;
  } catch {
    return '';
  }
}

const grep = (...args: readonly string[]) =>
  runProgram('git', ['grep', '-nIF', ...args], { cwd: packageRoot });

describe('committed files', () => {
  test('name no host that this machine gets its packages from', async () => {
    const hosts = await registryHosts();
    expect(hosts).not.toEqual([]);
    const { exitCode, stdout } = await grep(
      ...hosts.flatMap((host) => ['-e', host]),
      '--',
      '.',
      ':!package-lock.json',
    );
    expect(stdout).toBe('');
    expect(exitCode).toBe(1);
  });

  test('are really searched', async () => {
    expect((await grep('-e', '"name": "millrace"', '--', 'package.json')).stdout).toContain('package.json');
  });

  describe('hold a lock file', () => {
    const { packages } = JSON.parse(readFileSync(join(packageRoot, 'package-lock.json'), 'utf8')) as {
      packages: Record<string, { resolved?: string; optionalDependencies?: Record<string, string> }>;
    };

    test('without addresses, so that any registry serves', () => {
      expect(Object.keys(packages).filter((path) => packages[path]?.resolved)).toEqual([]);
    });

    // Else `npm ci` refuses it. `node test/setup/complete-lock.mjs` puts in what is missing.
    test('with every optional package, also those of other platforms', () => {
      const locked = new Set(Object.keys(packages).map((path) => path.split('node_modules/').at(-1)));
      const optional = Object.values(packages).flatMap((entry) =>
        Object.keys(entry.optionalDependencies ?? {}),
      );
      expect(optional.filter((name) => !locked.has(name))).toEqual([]);
    });
  });
});
