import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmdirSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * What a test cannot do without: a Docker engine with the images of test/setup, the Temporal CLI, a python3 with venv, leave to
 * mount a small disk, PostgreSQL's programs, an S3 server.
 */
export type PartName = 'docker' | 'temporal' | 'python' | 'mount' | 'postgres' | 's3';

/** Where the part is (a version or a path), or a sentence saying what would bring it. */
export type Part = { readonly found: string } | { readonly missing: string };

/** As `npm test` found it; looked for here when jest was started directly. */
export function realPart(name: PartName): Part {
  const known = process.env['MILLRACE_TEST_PARTS'];
  const given = known ? (JSON.parse(known) as Partial<Record<PartName, Part>>)[name] : undefined;
  if (given) return given;
  return (looked[name] ??= look[name]());
}

const looked: Partial<Record<PartName, Part>> = {};

const advice = 'run `npm test` once without naming tests, which sets it up or says what is missing';

const look: Record<PartName, () => Part> = {
  docker() {
    const engine = output('docker', ['version', '-f', '{{.Server.Version}}']);
    if (!engine) return { missing: `no Docker engine answers; ${advice}` };
    const tags = ['python:3.12-slim', 'node:22-slim', 'busybox:latest'];
    return output('docker', ['image', 'inspect', '-f', '{{.Id}}', ...tags])
      ? { found: engine }
      : { missing: `one of the images ${tags.join(', ')} is missing; ${advice}` };
  },
  temporal() {
    if (output('temporal', ['--version'])) return { found: 'temporal' };
    const pin = readFileSync(join(import.meta.dirname, '../../deploy/temporal.version'), 'utf8');
    const cache = process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache');
    const kept = join(cache, `millrace/bin/temporal-v${/^cli=(.*)$/m.exec(pin)?.[1]}`);
    return existsSync(kept) ? { found: kept } : { missing: `no temporal executable; ${advice}` };
  },
  s3() {
    if (output('minio', ['--version'])) return { found: 'minio' };
    const pin = readFileSync(join(import.meta.dirname, '../setup/s3.sh'), 'utf8');
    const cache = process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache');
    const kept = join(cache, `millrace/bin/minio-${/^version=(\S+)/m.exec(pin)?.[1]}`);
    return existsSync(kept) ? { found: kept } : { missing: `no minio executable; ${advice}` };
  },
  mount() {
    const folder = mkdtempSync(join(tmpdir(), 'millrace-mount-'));
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', folder], { stdio: 'ignore' });
      execFileSync('umount', [folder]);
      return { found: 'mount' };
    } catch {
      return { missing: 'no file system may be mounted here; run the tests as root' };
    } finally {
      rmdirSync(folder);
    }
  },
  python() {
    const path = output('python3', ['-c', 'import ensurepip, venv, sys; print(sys.executable)']);
    return path ? { found: path } : { missing: `no python3 with venv; ${advice}` };
  },
  postgres() {
    const script = join(import.meta.dirname, '../setup/postgres.sh');
    // The script installs only what is missing, which is for `npm test` to do.
    const folders = output('bash', ['-c', 'ls -d /usr/lib/postgresql/*/bin 2>/dev/null; command -v initdb']);
    const path = folders ? output('bash', [script]) : undefined;
    return path ? { found: path } : { missing: `no PostgreSQL; ${advice}` };
  },
};

function output(command: string, args: readonly string[]): string | undefined {
  try {
    return execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  } catch {
    return undefined;
  }
}
