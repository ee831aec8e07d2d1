/** An address as it may be shown, also one that was mistyped: what may be user, password or key is left out. */
export const withoutSecrets = (address: string): string =>
  address.replace(/:.*@/s, ':…@').replaceAll(/((?:password|secret|key)[^=&]*=)[^&]*/gi, '$1…');
