import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { temporalVersion } from '../../workers/temporal/version.js';
import { packageRoot } from '../support/build-package.js';

type Service = {
  readonly image: string;
  readonly build?: { readonly context: string; readonly dockerfile: string };
  readonly healthcheck?: { readonly test: readonly string[] };
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
  readonly environment?: Readonly<Record<string, string>>;
  readonly volumes?: readonly string[];
  readonly ports?: readonly string[];
  readonly profiles?: readonly string[];
};
type Compose = {
  readonly services: Readonly<Record<string, Service>>;
  readonly volumes: Readonly<Record<string, null>>;
};

const read = (path: string) => readFileSync(join(packageRoot, path), 'utf8');
const compose = parse(read('deploy/compose.yaml')) as Compose;
const services = Object.entries(compose.services);
const dockerfile = read('deploy/Dockerfile');

describe('the Temporal build', () => {
  const pin = Object.fromEntries(
    [...read('deploy/temporal.version').matchAll(/^(\w+)=(.+)$/gm)].map(([, name, value]) => [name, value]),
  );

  test('is the same in deploy/ and in the package', () => {
    expect(pin).toEqual(temporalVersion);
  });

  test('is the one compose.yaml runs', () => {
    expect(compose.services['temporal']?.image).toBe(`temporalio/auto-setup:${pin['server']}`);
  });
});

describe('compose.yaml', () => {
  test.each(services)('%s runs an image of an exact version', (_name, { image }) => {
    expect(image).toMatch(/^[a-z0-9/-]+:(RELEASE\.\S+|\d+\.\d+(\.\d+)?)$/);
  });

  test('waits only for parts that it has and that say when they are healthy', () => {
    const waits = services.flatMap(([name, service]) =>
      Object.entries(service.depends_on ?? {}).map(([on, { condition }]) => ({ name, on, condition })),
    );
    expect(waits).not.toEqual([]);
    expect(waits.filter(({ condition }) => condition !== 'service_healthy')).toEqual([]);
    expect(waits.filter(({ on }) => !compose.services[on]?.healthcheck)).toEqual([]);
  });

  test('declares each volume that a service mounts', () => {
    const named = services
      .flatMap(([, { volumes = [] }]) => volumes.map((volume) => volume.split(':')[0]!))
      .filter((name) => /^\w+$/.test(name));
    expect(new Set(named)).toEqual(new Set(Object.keys(compose.volumes)));
  });

  test('opens ports on the loopback address only', () => {
    expect(
      services.flatMap(([, { ports = [] }]) => ports).filter((port) => !port.startsWith('127.0.0.1:')),
    ).toEqual([]);
  });

  test('gives the worker the same state folder inside as outside, for the engine mounts what the worker names', () => {
    const { environment, volumes } = compose.services['worker']!;
    const folder = environment!['MILLRACE_STATE_DIR'];
    expect(volumes).toContain(`${folder}:${folder}`);
  });

  test('has an example of each variable it asks for', () => {
    const asked = [...read('deploy/compose.yaml').matchAll(/\$\{(\w+)/g)].map((match) => match[1]!);
    const offered = [...read('deploy/.env.example').matchAll(/^(\w+)=/gm)].map((match) => match[1]!);
    expect(
      [...new Set(asked)].filter((name) => !offered.includes(name) && name !== 'MILLRACE_QUEUE'),
    ).toEqual([]);
  });
});

describe('the worker image', () => {
  const last = dockerfile.slice(dockerfile.lastIndexOf('\nFROM '));

  test('is not root, and says when it is healthy', () => {
    expect(last).toMatch(/^USER 1000:1000$/m);
    expect(last).toMatch(/^HEALTHCHECK /m);
  });

  test('is built from rooms that the build context holds', () => {
    const { include } = JSON.parse(read('tsconfig.build.json')) as { include: string[] };
    const allowed = read('.dockerignore')
      .split('\n')
      .filter((line) => line.startsWith('!'))
      .map((line) => line.slice(1));
    expect(include.filter((room) => !allowed.includes(room))).toEqual([]);
  });
});
