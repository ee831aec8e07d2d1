import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';
import Docker from 'dockerode';
import type { DockerOptions } from 'dockerode';
import { DockerUnavailable } from '../../sdk/errors.js';

/**
 * Connects to the engine that the `docker` command would use: DOCKER_HOST, else its current context, else the local socket. It
 * never throws: a connection that cannot be made answers each call with DockerUnavailable.
 */
export function connectDocker(env: NodeJS.ProcessEnv = process.env): Docker {
  const asked = endpoint(env);
  try {
    return new Docker(optionsOf(asked));
  } catch (error) {
    return refusingDocker(
      new DockerUnavailable(`No Docker engine can be asked at ${asked.host} (${reason(error)}).`, {
        hint: 'Mend DOCKER_HOST or the context of the `docker` command; MILLRACE_EXECUTOR=process runs steps without an engine.',
        cause: error,
      }),
    );
  }
}

/** Address of that engine, for people. */
export const dockerHost = (env: NodeJS.ProcessEnv = process.env): string => endpoint(env).host;

/** Folder of the Docker client's own configuration. */
export const dockerConfigFolder = (env: NodeJS.ProcessEnv = process.env): string =>
  env['DOCKER_CONFIG'] ?? path.join(homedir(), '.docker');

const defaultHost = 'unix:///var/run/docker.sock';

type Endpoint = {
  readonly host: string;
  /** Folder with ca.pem, cert.pem and key.pem. */
  readonly certificates?: string | undefined;
  /** Whether the connection must not be made without them. */
  readonly verified: boolean;
};

function endpoint(env: NodeJS.ProcessEnv): Endpoint {
  if (env['DOCKER_HOST']) {
    const verified = env['DOCKER_TLS_VERIFY']
      ? (env['DOCKER_CERT_PATH'] ?? dockerConfigFolder(env))
      : undefined;
    return {
      host: withScheme(env['DOCKER_HOST']),
      certificates: verified,
      verified: verified !== undefined,
    };
  }
  return contextEndpoint(env) ?? { host: defaultHost, verified: false };
}

function contextEndpoint(env: NodeJS.ProcessEnv): Endpoint | undefined {
  const folder = dockerConfigFolder(env);
  const name =
    env['DOCKER_CONTEXT'] ??
    (readJson(path.join(folder, 'config.json')) as { currentContext?: string } | undefined)?.currentContext;
  if (!name || name === 'default') return undefined;
  const id = createHash('sha256').update(name).digest('hex');
  const meta = readJson(path.join(folder, 'contexts/meta', id, 'meta.json')) as
    { readonly Endpoints?: { readonly docker?: { readonly Host?: string } } } | undefined;
  const host = meta?.Endpoints?.docker?.Host;
  if (!host) return undefined;
  return {
    host,
    certificates: host.startsWith('tcp:') ? path.join(folder, 'contexts/tls', id, 'docker') : undefined,
    verified: false,
  };
}

/** As the `docker` command reads it. */
const withScheme = (host: string): string => (host.includes('://') ? host : `tcp://${host}`);

const schemes = ['tcp:', 'http:', 'https:', 'ssh:'];

function optionsOf({ host, certificates, verified }: Endpoint): DockerOptions {
  if (host.startsWith('unix://')) return { socketPath: host.slice('unix://'.length) };
  const { protocol, hostname, port, username } = new URL(host);
  if (!schemes.includes(protocol)) throw new TypeError(`it begins with none of unix:, ${schemes.join(', ')}`);
  if (hostname === '') throw new TypeError('it names no host');
  if (protocol === 'ssh:') return { protocol: 'ssh', host: hostname, port: port || 22, username };
  const tls = certificates === undefined ? {} : tlsFiles(certificates, verified);
  const secure = Object.keys(tls).length > 0;
  return {
    host: hostname,
    port: port || (secure ? 2376 : 2375),
    protocol: secure || protocol === 'https:' ? 'https' : 'http',
    ...tls,
  };
}

/** A context holds the files that its engine asks for; most plain ones hold none. */
function tlsFiles(folder: string, all: boolean): Pick<DockerOptions, 'ca' | 'cert' | 'key'> {
  const read = (name: string) => {
    const file = path.join(folder, `${name}.pem`);
    return all || existsSync(file) ? { [name]: readFileSync(file) } : {};
  };
  return { ...read('ca'), ...read('cert'), ...read('key') };
}

const reason = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** Every call of dockerode goes through its modem. */
function refusingDocker(error: DockerUnavailable): Docker {
  const docker = new Docker({ host: 'localhost', protocol: 'http' });
  (docker.modem as Dialling).dial = (_, done) => queueMicrotask(() => done(error));
  return docker;
}

type Dialling = { dial: (options: unknown, done: (error: unknown) => void) => void };

function readJson(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return undefined;
  }
}
