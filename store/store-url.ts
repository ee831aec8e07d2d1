import { resolve } from 'node:path';
import { ConfigInvalid } from '../sdk/errors.js';
import { withoutSecrets } from '../sdk/without-secrets.js';

/** The absolute path in `<scheme>:<path>`. @throws ConfigInvalid naming `option` and what is supported */
export function pathOfUrl(
  url: string,
  {
    scheme,
    option,
    others = [],
  }: { readonly scheme: string; readonly option: string; readonly others?: readonly string[] },
): string {
  const path = url.startsWith(`${scheme}:`) ? url.slice(scheme.length + 1) : '';
  if (path !== '') return resolve(path.replace(/^\/\/(?=\/)/, ''));
  const forms = [`\`${scheme}:<path>\``, ...others.map((each) => `\`${each}://…\``)].join(' or ');
  throw new ConfigInvalid(
    `Expected \`${option}\` to be ${forms}, got ${JSON.stringify(withoutSecrets(url))}.`,
    {
      hint: `\`${scheme}:\` is followed by a path on this machine.`,
      fields: { option, supported: [scheme, ...others] },
    },
  );
}
