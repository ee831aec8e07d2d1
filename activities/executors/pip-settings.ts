/** Settings of pip that hold inside a container as on the host: where packages come from, and through which proxy. */
export function pipSettings(env: NodeJS.ProcessEnv): Readonly<Record<string, string>> {
  const found = Object.entries(env).filter(
    (entry): entry is [string, string] => entry[1] !== undefined && names.has(entry[0].toUpperCase()),
  );
  return Object.fromEntries(found);
}

const names = new Set([
  'PIP_INDEX_URL',
  'PIP_EXTRA_INDEX_URL',
  'PIP_TRUSTED_HOST',
  'PIP_DEFAULT_TIMEOUT',
  'PIP_RETRIES',
  'HTTP_PROXY',
  'HTTPS_PROXY',
  'ALL_PROXY',
  'NO_PROXY',
]);
