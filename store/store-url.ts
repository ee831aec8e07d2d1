import { resolve } from 'node:path';
import { ConfigInvalid } from '../sdk/errors.js';

/** The absolute path in `<scheme>:<path>`. @throws ConfigInvalid naming `option` and what is supported */
export function pathOfUrl(
  url: string,
  { scheme, option }: { readonly scheme: string; readonly option: string },
): string {
  const path = url.startsWith(`${scheme}:`) ? url.slice(scheme.length + 1) : '';
  if (path !== '') return resolve(path.replace(/^\/\/(?=\/)/, ''));
  throw new ConfigInvalid(`Expected \`${option}\` to be \`${scheme}:<path>\`, got ${JSON.stringify(url)}.`, {
    hint: `Supported today: \`${scheme}:\` and the path on this machine.`,
    fields: { option, supported: [scheme] },
  });
}
