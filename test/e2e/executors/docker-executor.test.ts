import { chmod, copyFile, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { createDockerExecutor } from '../../../activities/executors/docker-executor.js';
import { containerOwner } from '../../../activities/executors/container-folder.js';
import { connectDocker } from '../../../activities/executors/docker-connection.js';
import type { ResolvedImage } from '../../../sdk/protocol/messages.js';
import { describeWith } from '../../support/describe-with.js';
import { testInstallation } from '../../support/execution.js';
import { temporaryFolder } from '../../support/temporary-folder.js';
import { waitFor } from '../../support/wait-for.js';
import { executorContract, tryWith } from './executor-contract.js';
import type { Try } from './executor-contract.js';

describeWith({ docker: true }, 'the Docker executor', () => {
  const docker = connectDocker();
  const executor = createDockerExecutor({ docker });
  const options = { signal: new AbortController().signal };
  let image: ResolvedImage;
  let run: Try;

  beforeAll(async () => {
    const reference = { kind: 'reference', reference: 'python:3.12-slim' } as const;
    image = await executor.resolve(
      { image: reference, requirements: undefined, context: undefined },
      options,
    );
    run = tryWith(executor, image);
  });

  const containers = () =>
    docker.listContainers({ all: true, filters: { label: [`millrace.installation=${testInstallation}`] } });

  afterEach(async () => {
    expect(await containers()).toEqual([]);
  });

  executorContract({
    attempt: () => run,
    python: 'python3',
    environment: async () => {
      const { Config } = await docker.getImage(image.id).inspect();
      return ['HOME', 'HOSTNAME', ...(Config.Env ?? []).map((each) => each.slice(0, each.indexOf('=')))];
    },
    uid: containerOwner().uid,
  });

  test('can run steps here', async () => {
    expect(await executor.unavailable()).toBeUndefined();
  });

  test('closes the container: no capability, no new privileges, no network, no root, a read-only root', async () => {
    const { log } = await run({
      command: [
        'sh',
        '-c',
        'grep -E "^(CapEff|CapBnd|NoNewPrivs)" /proc/self/status; id -u; ls /sys/class/net; touch /usr/x; touch /tmp/x && echo tmp',
      ],
    });
    expect(log).toContain('out CapEff:\t0000000000000000');
    expect(log).toContain('out CapBnd:\t0000000000000000');
    expect(log).toContain('out NoNewPrivs:\t1');
    expect(log).toContain(`out ${containerOwner().uid}`);
    expect(log.filter((line) => /^out (lo|eth)/.test(line))).toEqual(['out lo']);
    expect(log.join('\n')).toMatch(/touch.*Read-only file system/);
    expect(log).toContain('out tmp');
  });

  test('keeps the step from writing to its inputs, its source and the helper', async () => {
    const source = await temporaryFolder();
    await chmod(source, 0o777);
    const script =
      'cd /millrace; for target in in/table in/new input.json source/x helper/x; do echo x >> $target || echo refused; done; ' +
      'rm input.json || echo refused; mv in gone || echo refused';
    const { log, folder } = await run({ command: ['sh', '-c', script], given: { source } });
    expect(log.filter((line) => line === 'out refused')).toHaveLength(7);
    expect(await readFile(path.join(folder, 'in/table'), 'utf8')).toBe('a,b\n1,2\n');
  });

  test('has a network where the step asks for one', async () => {
    const { log } = await run({ command: ['ls', '/sys/class/net'], options: { network: true } });
    expect(log).toContain('out eth0');
  });

  test('bounds processes, processors and shared memory', async () => {
    const { log } = await run({
      command: [
        'sh',
        '-c',
        'cd /sys/fs/cgroup; cat pids/pids.max pids.max 2>/dev/null; df -k /dev/shm | tail -1;' +
          // One file in control groups v2, two in v1.
          ' cat cpu.max 2>/dev/null || echo $(cat cpu/cpu.cfs_quota_us cpu/cpu.cfs_period_us)',
      ],
      options: { resources: { cpus: 0.75, pids: 77, shm: '16MiB' } },
    });
    expect(log[0]).toBe('out 77');
    expect(log[1]).toMatch(/ 16384 /);
    const [quota, period] = log[2]!.slice('out '.length).split(' ').map(Number);
    expect(quota! / period!).toBeCloseTo(0.75);
  });

  test('labels the container, and inspection shows no secret', async () => {
    const secrets = [{ name: 'TOKEN', value: 'tops3cret-value', env: true }];
    const running = run({
      command: ['sh', '-c', 'test ${#TOKEN} = 15 && sleep 2'],
      given: { secrets, run: 'run-1' },
    });
    const [found] = await waitFor(
      async () => {
        const list = await containers();
        return list[0]?.State === 'running' ? list : undefined;
      },
      { what: 'the container to run' },
    );
    const inspected = await docker.getContainer(found!.Id).inspect();
    expect(inspected.Config.Labels).toMatchObject({
      'millrace.installation': testInstallation,
      'millrace.run': 'run-1',
      'millrace.step': 'try#2',
      'millrace.attempt': '1',
      'millrace.key': 'key-1',
    });
    expect(JSON.stringify(inspected)).not.toContain('tops3cret');
    expect((await running).end.exitCode).toBe(0);
  });

  test('refuses secrets as environment for an image without a shell', async () => {
    const bare = await bareImage();
    const attempt = tryWith(
      executor,
      bare,
    )({
      command: ['/busybox', 'true'],
      given: { secrets: [{ name: 'TOKEN', value: 'tops3cret-value', env: true }] },
    });
    await expect(attempt).rejects.toMatchObject({ code: 'DEFINITION_INVALID' });
    await expect(attempt).rejects.toThrow(/has no \/bin\/sh.*read the files in secrets/);
    const { end } = await tryWith(executor, bare)({ command: ['/busybox', 'true'] });
    expect(end.exitCode).toBe(0);
  });

  test('says that an image is gone', async () => {
    const gone = { reference: 'gone:1', id: `sha256:${'0'.repeat(64)}` } as const;
    const attempt = tryWith(executor, gone)({ command: ['true'] });
    await expect(attempt).rejects.toMatchObject({ code: 'IMAGE_NOT_FOUND' });
    await expect(attempt).rejects.toThrow(/Image `gone:1`.*no longer on this machine.*docker pull/);
  });

  test('says in one sentence why no engine can be used, and throws it where one is needed', async () => {
    const env = { ...process.env, DOCKER_HOST: 'unix:///nowhere/docker.sock' };
    const away = createDockerExecutor({ env });
    expect(await away.unavailable()).toMatch(
      /^No Docker engine answers at unix:\/\/\/nowhere\/docker.sock \(ENOENT\): Start Docker, or point DOCKER_HOST/,
    );
    const attempt = tryWith(away, image)({ command: ['true'] });
    await expect(attempt).rejects.toMatchObject({ code: 'DOCKER_UNAVAILABLE' });
  });

  test('tells of GPUs that this host cannot give', async () => {
    const attempt = run({ command: ['true'], options: { resources: { gpus: 1 } } });
    await expect(attempt).rejects.toThrow(/could not select device driver.*NVIDIA Container Toolkit/);
  });

  async function bareImage(): Promise<ResolvedImage> {
    const folder = await temporaryFolder();
    await copyFile('/bin/busybox', path.join(folder, 'busybox'));
    await chmod(path.join(folder, 'busybox'), 0o755);
    await writeFile(path.join(folder, 'Dockerfile'), 'FROM scratch\nCOPY busybox /busybox\n');
    const built = await executor.resolve(
      {
        image: { kind: 'build', context: './bare', dockerfile: 'Dockerfile' },
        requirements: undefined,
        context: folder,
      },
      options,
    );
    return built;
  }
});
