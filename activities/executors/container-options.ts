import type { ContainerCreateOptions, MountSettings } from 'dockerode';
import path from 'node:path';
import { containerPaths, contract } from '../../sdk/step-contract.js';
import { contractEnvironment } from './contract-environment.js';
import type { Execution, ExecutionIdentity } from './executor.js';
import type { ImageFacts } from './image-facts.js';
import type { Owner } from './secret-files.js';
import { exportsFile } from './secret-files.js';

export type ContainerRequest = {
  readonly execution: Execution;
  readonly image: ImageFacts;
  /** Whom the program runs as. */
  readonly owner: Owner;
  /** Host folder of the Python helper. */
  readonly helper: string;
  /** Host folder of the secrets' files. */
  readonly secrets: string | undefined;
};

export const labelNames = {
  installation: 'millrace.installation',
  run: 'millrace.run',
  step: 'millrace.step',
  attempt: 'millrace.attempt',
  key: 'millrace.key',
} as const;

/** The engine's own copy of the output, which Millrace reads: as much as may lie there while no worker does. */
const engineLog = { Type: 'json-file', Config: { 'max-size': '32m', 'max-file': '2' } };
/** The engine refuses less. */
const leastMemory = 6 * 1024 * 1024;

/** What the engine is asked for: one attempt's container, closed but for what the step declares. */
export function containerOptions(request: ContainerRequest): ContainerCreateOptions {
  const { execution, image, owner } = request;
  const { spec } = execution;
  const { resources } = spec;
  const memory = Math.max(resources.memory, leastMemory);
  // Memory holds it, so that it counts as the step's; half of it, as Linux itself does, leaves the program the rest.
  const scratch = `rw,exec,nosuid,nodev,mode=1777,size=${Math.floor(memory / 2)}`;
  return {
    Image: image.id,
    Entrypoint: [...entrypoint(execution)],
    Cmd: [],
    WorkingDir: execution.source ? containerPaths.source : containerPaths.folder,
    User: `${owner.uid}:${owner.gid}`,
    Env: Object.entries(environment(request)).map(([name, value]) => `${name}=${value}`),
    Labels: labelsOf(execution),
    // `docker stop` by somebody else is as patient as Millrace.
    ...(spec.stopGraceMs !== undefined && { StopTimeout: Math.ceil(spec.stopGraceMs / 1000) }),
    HostConfig: {
      Mounts: mountsOf(request),
      Tmpfs: Object.fromEntries(['/tmp', ...image.volumes].map((target) => [target, scratch])),
      ReadonlyRootfs: true,
      NetworkMode: spec.network ? 'default' : 'none',
      CapDrop: ['ALL'],
      SecurityOpt: ['no-new-privileges'],
      Init: true,
      NanoCpus: Math.round(resources.cpus * 1e9),
      Memory: memory,
      MemorySwap: memory,
      PidsLimit: resources.pids,
      ShmSize: resources.shm,
      Ulimits: [{ Name: 'core', Soft: 0, Hard: 0 }],
      ...(resources.gpus > 0 && {
        DeviceRequests: [{ Driver: '', Count: Math.ceil(resources.gpus), Capabilities: [['gpu']] }],
      }),
      LogConfig: engineLog,
    },
  };
}

export const labelsOf = ({ installation, run, step, attempt, key }: ExecutionIdentity) => ({
  [labelNames.installation]: installation,
  [labelNames.run]: run,
  [labelNames.step]: step,
  [labelNames.attempt]: String(attempt),
  [labelNames.key]: key,
});

/** Secrets asked for as environment are exported by a shell inside: what the engine is told can be inspected. */
export const needsShell = ({ secrets }: Execution): boolean => secrets.some(({ env }) => env);

function entrypoint(execution: Execution): readonly string[] {
  const command = execution.command({
    folder: containerPaths.folder,
    source: execution.source && containerPaths.source,
    code: execution.code && containerPaths.code,
  });
  if (!needsShell(execution)) return command;
  const exports = `${containerPaths.folder}/${contract.secrets}/${exportsFile}`;
  return ['/bin/sh', '-c', `. ${exports} && exec "$@"`, 'sh', ...command];
}

const environment = ({ execution, image }: ContainerRequest): Readonly<Record<string, string>> => ({
  HOME: '/tmp',
  ...contractEnvironment(
    execution,
    { folder: containerPaths.folder, helper: containerPaths.helper },
    image.modulePath,
  ),
});

function mountsOf({ execution, helper, secrets }: ContainerRequest): MountSettings[] {
  const { folder, source, code } = execution;
  const readOnly = (Target: string, Source: string | undefined): MountSettings[] =>
    Source ? [{ Type: 'bind', Source, Target, ReadOnly: true }] : [];
  const inside = (name: string) => `${containerPaths.folder}/${name}`;
  return [
    { Type: 'bind', Source: folder, Target: containerPaths.folder, ReadOnly: false },
    ...readOnly(inside(contract.input), path.join(folder, contract.input)),
    ...readOnly(inside(contract.inputs), path.join(folder, contract.inputs)),
    ...readOnly(containerPaths.source, source),
    ...readOnly(containerPaths.code, code),
    ...readOnly(containerPaths.helper, helper),
    ...readOnly(inside(contract.secrets), secrets),
  ];
}
