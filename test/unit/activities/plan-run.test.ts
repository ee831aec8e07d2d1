import { createAdmission } from '../../../activities/admission.js';
import { planRun, planWithoutImages } from '../../../activities/plan-run.js';
import type { StepEnvironment } from '../../../activities/step-environment.js';
import { DockerUnavailable, ImageBuildFailed, ImageNotFound } from '../../../sdk/errors.js';
import type { MillraceError } from '../../../sdk/errors.js';
import { executionOf } from '../../support/execution.js';

const { spec: boxed } = executionOf({ name: 'boxed', image: 'some:1' });
const apart = { ...executionOf({ name: 'apart' }).spec, isolation: 'process' } as const;
const image = { reference: 'some:1', id: `sha256:${'1'.repeat(64)}` } as const;
const options = { signal: new AbortController().signal };

type Engine = { readonly away?: string; readonly fails?: MillraceError };

const host = (executor: StepEnvironment['executor'], { away, fails }: Engine = {}) =>
  ({
    executor,
    admission: createAdmission({ cpus: 8, memory: 2 ** 40, gpus: 0 }),
    docker: {
      unavailable: () => Promise.resolve(away),
      resolve: () => (fails ? Promise.reject(fails) : Promise.resolve(image)),
    },
  }) as unknown as StepEnvironment;

const notToBeHad = new ImageNotFound('Image `some:1` could not be pulled: dial tcp.', {
  fields: { image: 'some:1', unreachable: true },
});
const unknown = new ImageNotFound('Image `some:1` could not be pulled: manifest unknown.', {
  fields: { image: 'some:1', unreachable: false },
});

test('steps run in the images that are there', async () => {
  expect(await planRun([boxed, apart], host('auto'), options)).toEqual({
    executor: 'docker',
    images: { boxed: image },
  });
});

test.each([
  ['no engine answers', { away: 'No Docker engine answers at here.' }],
  ['the engine goes meanwhile', { fails: new DockerUnavailable('No Docker engine answers at here.') }],
  ['the image cannot be had', { fails: notToBeHad }],
])('with `auto` steps run as processes where %s, and it is said why', async (_, engine) => {
  const { warning, ...plan } = await planRun([boxed], host('auto', engine), options);
  expect(plan).toEqual({ executor: 'process', images: {} });
  expect(warning).toMatch(
    /^Steps run as processes on the worker's host, not in containers: .*(No Docker engine answers|could not be pulled)/,
  );
});

test.each([
  ['a name that the registry does not know', unknown],
  ['a Dockerfile that does not build', new ImageBuildFailed('Building failed.')],
])('a mistake is no reason to leave the container, with `auto` either: %s', async (_, fails) => {
  await expect(planRun([boxed], host('auto', { fails }), options)).rejects.toBe(fails);
});

test.each([{ away: 'No Docker engine answers at here.' }, { fails: notToBeHad }])(
  'with `docker` nothing leaves the container: %o',
  async (engine) => {
    await expect(planRun([boxed], host('docker', engine), options)).rejects.toMatchObject({
      code: engine.away === undefined ? 'IMAGE_NOT_FOUND' : 'DOCKER_UNAVAILABLE',
    });
  },
);

test('only images make it worth asking an engine', async () => {
  expect(await planWithoutImages([apart], host('docker'))).toEqual({ executor: 'process', images: {} });
  expect(await planWithoutImages([boxed], host('process'))).toEqual({ executor: 'process', images: {} });
  expect(await planWithoutImages([boxed, apart], host('auto'))).toBeUndefined();
});
