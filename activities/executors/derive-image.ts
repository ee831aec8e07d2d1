import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type Docker from 'dockerode';
import { pack } from 'tar-fs';
import type { Pack } from 'tar-fs';
import type { ResolvedImage } from '../../sdk/protocol/messages.js';
import { buildImage } from './build-image.js';
import { engineCall, enginePatience } from './engine-call.js';
import type { WorkOptions } from './executor.js';
import { packagesLabel } from './image-facts.js';
import { pipSettings } from './pip-settings.js';
import type { Requirements } from './requirements.js';
import { requirementsFile } from './requirements.js';

/** Raised when the recipe below gives another image for the same base and lock. */
const recipe = 1;

/** Name of the image that a base becomes with these requirements: always the same for the same bytes. */
export const derivedTag = (base: ResolvedImage, { digest }: Requirements): string => {
  const key = createHash('sha256').update([recipe, base.id, digest].join('\n')).digest('hex');
  return `millrace/derived:${key.slice(0, 32)}`;
};

/**
 * Builds it: pip's packages on top of the base.
 * @throws DependenciesFailed with pip's last lines
 */
export async function deriveImage(
  docker: Docker,
  { base, requirements }: { readonly base: ResolvedImage; readonly requirements: Requirements },
  options: WorkOptions & { readonly env: NodeJS.ProcessEnv },
): Promise<void> {
  options.onDetail?.(`installing ${requirementsFile} into ${base.reference}`);
  const look = { ...enginePatience, what: 'look at the image', signal: options.signal };
  const { Config } = await engineCall(() => docker.getImage(base.id).inspect(), look);
  const settings = pipSettings(options.env);
  const common = {
    dockerfile: 'Dockerfile',
    subject: `${requirementsFile} on ${base.reference}`,
    failure: 'dependencies',
  } as const;
  const installed = await withContext(
    { ...files(requirements), Dockerfile: installRecipe(base.id, Object.keys(settings), Config?.User ?? '') },
    (context) => buildImage(docker, { ...common, context, args: settings }, options),
  );
  // The packages are known only now: a second image of the same layers carries them.
  await withContext({ Dockerfile: `FROM ${installed.id}\n` }, (context) =>
    buildImage(
      docker,
      {
        ...common,
        context,
        tag: derivedTag(base, requirements),
        labels: {
          'millrace.base': base.reference,
          'millrace.base.id': base.id,
          [packagesLabel]: JSON.stringify(packagesIn(installed.output)),
        },
      },
      options,
    ),
  );
}

const folderInside = '/tmp/millrace-requirements';
const listMark = 'millrace: installed packages';

/** Arguments that every build has; they stay out of the image's history as long as no ARG names them. */
const knownToBuilds = new Set(['HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY']);

const installRecipe = (base: string, settings: readonly string[], user: string): string =>
  [
    `FROM ${base}`,
    'USER 0',
    ...settings.filter((name) => !knownToBuilds.has(name.toUpperCase())).map((name) => `ARG ${name}`),
    `COPY requirements ${folderInside}`,
    `RUN python=$(command -v python3 || command -v python) || { echo "the image has no Python" >&2; exit 1; } \\`,
    ` && cd ${folderInside} \\`,
    ` && "$python" -m pip install --no-cache-dir --no-input --disable-pip-version-check --root-user-action=ignore -r ${requirementsFile} \\`,
    ` && echo "${listMark}" && "$python" -m pip freeze --disable-pip-version-check \\`,
    ` && cd / && rm -rf ${folderInside}`,
    // What the base says stays: USER is the image's only setting that installing needed to change.
    ...(user ? [`USER ${user}`] : []),
    '',
  ].join('\n');

const files = ({ files: found }: Requirements): Record<string, string> =>
  Object.fromEntries(found.map(({ path: name, content }) => [`requirements/${name}`, content]));

/** The lines that pip freeze printed: those of the form `name==version` or `name @ origin` behind the mark. */
function packagesIn(output: string): readonly string[] {
  const after = output.slice(output.lastIndexOf(`${listMark}\n`) + listMark.length + 1);
  return after.split('\n').filter((line) => /^[A-Za-z0-9][\w.-]*(==| @ )/.test(line));
}

async function withContext<T>(
  contents: Readonly<Record<string, string>>,
  use: (context: Pack) => Promise<T>,
): Promise<T> {
  const folder = await mkdtemp(path.join(tmpdir(), 'millrace-build-'));
  try {
    for (const [name, content] of Object.entries(contents)) {
      await mkdir(path.dirname(path.join(folder, name)), { recursive: true });
      await writeFile(path.join(folder, name), content);
    }
    return await use(pack(folder));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
