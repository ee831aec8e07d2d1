import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';
import Docker from 'dockerode';
import type { DockerOptions } from 'dockerode';

/** Connects to the engine that the `docker` command would use: DOCKER_HOST, else its current context, else the local socket. */
export function connectDocker(env: NodeJS.ProcessEnv = process.env): Docker {
  const { host, certificates } = endpoint(env);
  return new Docker(optionsOf(host, certificates));
}

/** Address of that engine, for people. */
export const dockerHost = (env: NodeJS.ProcessEnv = process.env): string => endpoint(env).host;

/** Folder of the Docker client's own configuration. */
export const dockerConfigFolder = (env: NodeJS.ProcessEnv = process.env): string =>
  env['DOCKER_CONFIG'] ?? path.join(homedir(), '.docker');

const defaultHost = 'unix:///var/run/docker.sock';

type Endpoint = { readonly host: string; readonly certificates?: string | undefined };

function endpoint(env: NodeJS.ProcessEnv): Endpoint {
  if (env['DOCKER_HOST']) {
    const verified = env['DOCKER_TLS_VERIFY']
      ? (env['DOCKER_CERT_PATH'] ?? dockerConfigFolder(env))
      : undefined;
    return { host: env['DOCKER_HOST'], certificates: verified };
  }
  return contextEndpoint(env) ?? { host: defaultHost };
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
  };
}

function optionsOf(host: string, certificates: string | undefined): DockerOptions {
  if (host.startsWith('unix://')) return { socketPath: host.slice('unix://'.length) };
  const { protocol, hostname, port, username } = new URL(host);
  if (protocol === 'ssh:') return { protocol: 'ssh', host: hostname, port: port || 22, username };
  const read = (name: string) => readFileSync(path.join(certificates ?? '', name));
  return {
    host: hostname,
    port: port || (certificates ? 2376 : 2375),
    protocol: certificates || protocol === 'https:' ? 'https' : 'http',
    ...(certificates && { ca: read('ca.pem'), cert: read('cert.pem'), key: read('key.pem') }),
  };
}

function readJson(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return undefined;
  }
}
