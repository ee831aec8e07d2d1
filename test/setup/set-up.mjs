// Gets the real parts that tests need. On Debian as root what is missing is installed, built and started, once; elsewhere what is
// there is used.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const images = {
  'python:3.12-slim': 'python-image',
  'node:22-slim': 'node-image',
  'busybox:latest': 'busybox-image',
};

/**
 * Which parts there are: `{ docker: { found } | { missing } … }`, where `missing` is a sentence saying what would help. Tests read
 * it from the environment variable MILLRACE_TEST_PARTS as JSON.
 */
export async function setUp() {
  const find = mayInstall() ? installed : present;
  const [docker, temporal, python, postgres, s3] = await Promise.all([
    find.docker(),
    find.temporal(),
    find.python(),
    find.postgres(),
    find.s3(),
  ]);
  return { docker, temporal, python, postgres, s3 };
}

function mayInstall() {
  if (process.platform !== 'linux' || process.getuid() !== 0 || !existsSync('/etc/os-release')) return false;
  return /^ID=debian$/m.test(readFileSync('/etc/os-release', 'utf8'));
}

const installed = {
  async docker() {
    const engine = await script('docker');
    if (engine.missing) return engine;
    for (const [tag, name] of Object.entries(images)) {
      const image = await script(name, tag);
      if (image.missing) return image;
    }
    return engine;
  },
  temporal: () => script('temporal'),
  python: () => script('python'),
  postgres: () => script('postgres'),
  s3: () => script('s3'),
};

const present = {
  async docker() {
    const engine = firstLine('docker', ['version', '-f', '{{.Server.Version}}']);
    if (!engine) return { missing: 'no Docker engine answers: start Docker' };
    for (const tag of Object.keys(images)) {
      if (firstLine('docker', ['image', 'inspect', '-f', '{{.Id}}', tag])) continue;
      if (!firstLine('docker', ['pull', '-q', tag]))
        return { missing: `the image ${tag} cannot be had: docker pull ${tag}` };
    }
    return { found: engine };
  },
  temporal() {
    const version = /^cli=(.*)$/m.exec(
      readFileSync(join(import.meta.dirname, '../../deploy/temporal.version'), 'utf8'),
    )[1];
    const kept = join(cache(), `bin/temporal-v${version}`);
    if (firstLine('temporal', ['--version'])) return { found: 'temporal' };
    if (existsSync(kept)) return { found: kept };
    return { missing: `no temporal executable: put the Temporal CLI ${version} on PATH` };
  },
  s3() {
    const [, version] = /^version=(\S+)/m.exec(readFileSync(join(import.meta.dirname, 's3.sh'), 'utf8'));
    const kept = join(cache(), `bin/minio-${version}`);
    if (firstLine('minio', ['--version'])) return { found: 'minio' };
    return existsSync(kept) ? { found: kept } : { missing: 'no minio executable: put MinIO on PATH' };
  },
  python() {
    const path = firstLine('python3', ['-c', 'import ensurepip, venv, sys; print(sys.executable)']);
    return path ? { found: path } : { missing: 'no python3 with venv: install Python 3.11 or newer' };
  },
  postgres() {
    const path = firstLine('bash', [
      '-c',
      'ls -d /usr/lib/postgresql/*/bin "$(dirname "$(command -v initdb)")" 2>/dev/null | sort -V | tail -n 1',
    ]);
    return path && path !== '.'
      ? { found: path }
      : { missing: 'no initdb and postgres: install PostgreSQL 13 or newer' };
  },
};

const cache = () => join(process.env.XDG_CACHE_HOME || join(process.env.HOME ?? '', '.cache'), 'millrace');

function firstLine(command, args) {
  const { status, stdout } = spawnSync(command, args, {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  return status === 0 ? stdout.trim().split('\n')[0] : undefined;
}

/** Runs test/setup/NAME.sh: its stdout is the result, its stderr is progress and goes to ours. */
function script(name, ...args) {
  return new Promise((resolve) => {
    const child = spawn('bash', [join(import.meta.dirname, `${name}.sh`), ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text) => (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text) => {
      stderr += text;
      process.stderr.write(text);
    });
    child.on('error', (error) =>
      resolve({ missing: `test/setup/${name}.sh did not start: ${error.message}` }),
    );
    child.on('close', (code) => {
      if (code === 0) resolve({ found: stdout.trim() });
      else
        resolve({
          missing: `test/setup/${name}.sh failed: ${stderr.trim().split('\n').at(-1) || `exit code ${code}`}`,
        });
    });
  });
}
