import { containerOptions } from '../../../activities/executors/container-options.js';
import { executionOf } from '../../support/execution.js';

const image = { id: 'sha256:1', volumes: ['/data'], modulePath: '/opt/lib', packages: undefined };
const owner = { uid: 1000, gid: 1001 };

const optionsFor = (...given: Parameters<typeof executionOf>) =>
  containerOptions({
    execution: executionOf(...given),
    image,
    owner,
    helper: '/package/sdk/python',
    secrets: undefined,
  });

describe('what the engine is asked for', () => {
  test('is a closed container with the limits of the step', () => {
    const options = optionsFor({ resources: { cpus: 1.5, memory: '256MiB', shm: '32MiB', pids: 99 } });
    expect(options.User).toBe('1000:1001');
    expect(options.HostConfig).toMatchObject({
      NanoCpus: 1_500_000_000,
      Memory: 256 * 1024 ** 2,
      MemorySwap: 256 * 1024 ** 2,
      ShmSize: 32 * 1024 ** 2,
      PidsLimit: 99,
      NetworkMode: 'none',
      ReadonlyRootfs: true,
      CapDrop: ['ALL'],
      SecurityOpt: ['no-new-privileges'],
      Init: true,
      LogConfig: { Type: 'json-file', Config: { 'max-size': '32m', 'max-file': '2' } },
    });
    expect(options.HostConfig?.DeviceRequests).toBeUndefined();
  });

  test('has GPUs as a device request', () => {
    expect(optionsFor({ resources: { gpus: 2 } }).HostConfig?.DeviceRequests).toEqual([
      { Driver: '', Count: 2, Capabilities: [['gpu']] },
    ]);
  });

  test('has a network only for a step that asks for one', () => {
    expect(optionsFor({ network: true }).HostConfig?.NetworkMode).toBe('default');
  });

  test('covers volumes of the image by bounded memory', () => {
    const scratch = `rw,exec,nosuid,nodev,mode=1777,size=${512 * 1024 ** 2}`;
    expect(optionsFor({}).HostConfig?.Tmpfs).toEqual({ '/tmp': scratch, '/data': scratch });
  });

  test('puts the helper first on the module path, then what the step or else the image says', () => {
    expect(optionsFor({}).Env).toContain('PYTHONPATH=/millrace/helper:/opt/lib');
    expect(optionsFor({ env: { PYTHONPATH: '/mine' } }).Env).toContain('PYTHONPATH=/millrace/helper:/mine');
  });

  test('names secrets but holds no value of one', () => {
    const options = optionsFor({}, { secrets: [{ name: 'TOKEN', value: 's3cret-value', env: true }] });
    expect(JSON.stringify(options)).not.toContain('s3cret-value');
    expect(options.Entrypoint).toEqual([
      '/bin/sh',
      '-c',
      '. /millrace/secrets/.environment.sh && exec "$@"',
      'sh',
      'true',
    ]);
  });
});
