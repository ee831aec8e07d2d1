import type { FailureInfo } from '../sdk/protocol/failure.js';
import type { StepEvent } from '../sdk/step-contract.js';
import type { StepSpec } from '../sdk/step-spec.js';
import { createMask } from './executors/secret-mask.js';
import type { SecretSource } from './secrets.js';

/** The same JSON value with every secret in its texts as `***`. */
export type SecretMask = <T>(value: T) => T;

/** A mask for what a step may say: its words reach Temporal's history and the catalog. A missing secret has nothing to hide. */
export async function secretMask(uses: StepSpec['secrets'], source: SecretSource): Promise<SecretMask> {
  const found = await Promise.all(uses.map(({ name }) => source.value(name)));
  const values = found.filter((value) => value !== undefined);
  return values.length === 0 ? (value) => value : (value) => masked(value, values) as typeof value;
}

function masked(value: unknown, secrets: readonly string[]): unknown {
  if (typeof value === 'string') {
    const mask = createMask(secrets);
    return mask.write(value) + mask.end();
  }
  if (Array.isArray(value)) return value.map((item) => masked(item, secrets));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [masked(key, secrets), masked(item, secrets)]),
  );
}

/** Hides secrets in an error's words; what it is and where it happened stays. */
export const maskedFailure = (info: FailureInfo, mask: SecretMask): FailureInfo => ({
  ...info,
  what: mask(info.what),
  hint: mask(info.hint),
  fields: mask(info.fields),
});

/** Hides secrets in what a step says; what kind of event it is stays. */
export function maskedEvent(event: StepEvent, mask: SecretMask): StepEvent {
  switch (event.type) {
    case 'metric':
      return { ...event, name: mask(event.name) };
    case 'message':
      return { ...event, text: mask(event.text), ...(event.fields && { fields: mask(event.fields) }) };
    case 'progress':
      return event.message === undefined ? event : { ...event, message: mask(event.message) };
    case 'failure':
      return { ...event, message: mask(event.message) };
  }
}
