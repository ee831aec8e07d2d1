import { DefinitionInvalid } from './errors.js';

const namePattern = /^[A-Za-z][A-Za-z0-9_-]{0,62}$/;

/** @throws DefinitionInvalid when a name could not stand in paths, labels and types */
export function checkName(name: unknown, what: string): asserts name is string {
  if (typeof name === 'string' && namePattern.test(name)) return;
  throw new DefinitionInvalid(
    `Expected the name of a ${what} to match ${namePattern.source}, got ${JSON.stringify(name)}.`,
    {
      hint: 'Use letters, digits, - and _, beginning with a letter.',
    },
  );
}
