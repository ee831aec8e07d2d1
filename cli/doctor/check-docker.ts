import type Docker from 'dockerode';
import { connectDocker, dockerHost } from '../../activities/executors/docker-connection.js';
import { unavailableWords } from '../../activities/executors/docker-errors.js';
import { hasLiveRestore } from '../../activities/executors/engine-dial.js';
import type { Check, Finding } from './check.js';
import { fail, ok, warn } from './check.js';

/** Whether an engine answers, is new enough and really runs a container. */
export const dockerCheck: Check = {
  name: 'docker',
  async look({ worker: { executor } }) {
    if (executor === 'process') return ok('not used: MILLRACE_EXECUTOR is process');
    const docker = connectDocker();
    let engine: string;
    try {
      // The types know only the form with a callback.
      const asked = docker.version({ abortSignal: AbortSignal.timeout(5_000) } as never) as unknown;
      const { Version, ApiVersion, Os } = (await asked) as EngineVersion;
      engine = `engine ${Version}, API ${ApiVersion} at ${dockerHost()}`;
      if (Os !== 'linux') return fail(engine, 'Switch Docker to Linux containers.');
      if (apiNumber(ApiVersion) < apiNumber(oldestApi))
        return fail(engine, `Update Docker: API ${oldestApi} or newer is needed.`);
    } catch (error) {
      const { says, todo } = unavailableWords(error, dockerHost());
      // With `auto`, steps run as processes then.
      return executor === 'docker' ? fail(says, todo) : warn(says, todo);
    }
    return runContainer(docker, engine);
  },
};

type EngineVersion = { readonly Version: string; readonly ApiVersion: string; readonly Os: string };

const oldestApi = '1.41';
const apiNumber = (version: string): number => {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major * 1000 + minor;
};

/** Images that steps are likely to run in, each with a program that ends at once. */
const probes: readonly (readonly [image: string, ...command: readonly string[]])[] = [
  ['node:22-slim', 'node', '--version'],
  ['python:3.12-slim', 'python', '--version'],
];

async function runContainer(docker: Docker, engine: string): Promise<Finding> {
  for (const [image, ...command] of probes) {
    if (!(await hasImage(docker, image))) continue;
    try {
      const code = await exitCodeOf(docker, image, command);
      return code === 0
        ? await lasting(docker, `${engine}; ran ${command[0]} in ${image}`)
        : fail(
            `${engine}; ${command.join(' ')} in ${image} ended with ${code}`,
            `Try: docker run --rm ${image} ${command.join(' ')}`,
          );
    } catch (error) {
      return fail(
        `${engine}; no container could be run in ${image}: ${error instanceof Error ? error.message : String(error)}`,
        `Try: docker run --rm ${image} ${command.join(' ')}`,
      );
    }
  }
  return warn(
    `${engine}; whether it runs containers was not tried: no image is there`,
    'docker pull node:22-slim; otherwise the first run pulls what it needs.',
  );
}

/** Whether running steps outlive a restart of the engine. */
async function lasting(docker: Docker, says: string): Promise<Finding> {
  if (await hasLiveRestore(docker.modem)) return ok(says);
  return warn(
    `${says}; a restart of the engine ends running steps`,
    'Set "live-restore": true in /etc/docker/daemon.json and reload the engine, so that containers outlive its restarts.',
  );
}

const hasImage = (docker: Docker, image: string): Promise<boolean> =>
  docker.getImage(image).inspect().then(() => true, () => false); // prettier-ignore

async function exitCodeOf(docker: Docker, image: string, command: readonly string[]): Promise<number> {
  const container = await docker.createContainer({
    Image: image,
    Entrypoint: [],
    Cmd: [...command],
    Labels: { 'millrace.doctor': 'true' },
    HostConfig: { NetworkMode: 'none', ReadonlyRootfs: true, Memory: 256 * 2 ** 20 },
  });
  try {
    await container.start();
    const { StatusCode } = (await container.wait()) as { readonly StatusCode: number };
    return StatusCode;
  } finally {
    await container.remove({ force: true });
  }
}
