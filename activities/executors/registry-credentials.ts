import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { AuthConfigObject } from 'dockerode';
import { dockerConfigFolder } from './docker-connection.js';

/** What `docker login` left for a registry; undefined where the user has not signed in. */
export async function registryCredentials(
  registry: string,
  { env = process.env, signal }: { readonly env?: NodeJS.ProcessEnv; readonly signal?: AbortSignal } = {},
): Promise<AuthConfigObject | undefined> {
  const config = await readConfig(env);
  const server = registry === dockerHub ? dockerHubServer : registry;
  const helper = config.credHelpers?.[server] ?? config.credHelpers?.[registry] ?? config.credsStore;
  const helped = helper && (await askHelper(helper, server, { env, ...(signal && { signal }) }));
  return helped || fromConfig(config, server);
}

export const dockerHub = 'docker.io';
/** The name Docker's own client keeps its hub's credentials under. */
const dockerHubServer = 'https://index.docker.io/v1/';

/** The registry a reference names: `docker.io` unless its first part looks like a host. */
export function registryOf(reference: string): string {
  const [first = '', rest] = reference.split('/', 2);
  return rest !== undefined && (/[.:]/.test(first) || first === 'localhost') ? first : dockerHub;
}

type DockerConfig = {
  readonly auths?: Readonly<
    Record<
      string,
      { readonly auth?: string; readonly identitytoken?: string; readonly registrytoken?: string }
    >
  >;
  readonly credHelpers?: Readonly<Record<string, string>>;
  readonly credsStore?: string;
};

async function readConfig(env: NodeJS.ProcessEnv): Promise<DockerConfig> {
  try {
    return JSON.parse(
      await readFile(path.join(dockerConfigFolder(env), 'config.json'), 'utf8'),
    ) as DockerConfig;
  } catch {
    return {};
  }
}

/** Helpers speak JSON: the server's name on stdin, `{ Username, Secret }` on stdout. */
async function askHelper(
  helper: string,
  server: string,
  options: { readonly env: NodeJS.ProcessEnv; readonly signal?: AbortSignal },
): Promise<AuthConfigObject | undefined> {
  const answer = await new Promise<string | undefined>((resolve) => {
    const child = execFile(
      `docker-credential-${helper}`,
      ['get'],
      { ...options, timeout: 30_000 },
      // Not signed in there, or no such helper: the engine then tries without.
      (error, stdout) => resolve(error ? undefined : stdout),
    );
    child.stdin?.on('error', () => undefined).end(server);
  });
  try {
    const { Username, Secret } = JSON.parse(answer ?? '') as {
      readonly Username: string;
      readonly Secret: string;
    };
    // This user name says that the secret is an identity token.
    return Username === '<token>'
      ? { identitytoken: Secret, serveraddress: server }
      : { username: Username, password: Secret, serveraddress: server };
  } catch {
    return undefined;
  }
}

function fromConfig({ auths = {} }: DockerConfig, server: string): AuthConfigObject | undefined {
  const [, found] = Object.entries(auths).find(([name]) => hostOf(name) === hostOf(server)) ?? [];
  if (found?.identitytoken) return { identitytoken: found.identitytoken, serveraddress: server };
  if (!found?.auth) return undefined;
  const decoded = Buffer.from(found.auth, 'base64').toString('utf8');
  const colon = decoded.indexOf(':');
  return {
    username: decoded.slice(0, colon),
    password: decoded.slice(colon + 1).replace(/\0+$/, ''),
    serveraddress: server,
  };
}

const hostOf = (server: string): string => server.replace(/^https?:\/\//, '').replace(/\/.*$/, '');
