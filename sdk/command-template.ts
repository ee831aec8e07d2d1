import { isArtifactRef } from './artifact.js';
import { DefinitionInvalid } from './errors.js';

const placeholder = /\{(in|out|input)\.([A-Za-z0-9_.-]+)\}/g;

export type Placeholder = { readonly kind: 'in' | 'out' | 'input'; readonly name: string };

/** The placeholders of a command, each once. */
export function placeholders(command: readonly string[]): readonly Placeholder[] {
  const found = new Map<string, Placeholder>();
  for (const argument of command) {
    for (const [text, kind, name] of argument.matchAll(placeholder))
      found.set(text, { kind: kind as Placeholder['kind'], name: name ?? '' });
  }
  return [...found.values()];
}

/**
 * Program and arguments of a command: `{in.x}` (nested: `{in.x.0}`) and `{out.x}` become paths below the step's folder, `{input.x}` the value (a
 * text as it is, anything else as JSON, nothing where the field was left out).
 */
export function renderCommand(command: readonly string[], input: unknown, folder: string): readonly string[] {
  return command.map((argument) =>
    argument.replaceAll(placeholder, (_, kind: Placeholder['kind'], name: string) =>
      kind === 'input'
        ? valueText(valueAt(input, name))
        : `${folder}/${kind}/${kind === 'in' ? name.replaceAll('.', '/') : name}`,
    ),
  );
}

/** @throws DefinitionInvalid when a placeholder names no field of the step's input or output */
export function checkPlaceholders(
  step: string,
  command: readonly string[],
  fields: { readonly input: readonly string[]; readonly output: readonly string[] },
): void {
  for (const { kind, name } of placeholders(command)) {
    const known = kind === 'out' ? fields.output : fields.input;
    const [field = ''] = kind === 'out' ? [name] : name.split('.');
    if (!known.includes(field)) {
      throw new DefinitionInvalid(
        `The command of step \`${step}\` uses {${kind}.${name}}, but its ${kind === 'out' ? 'output' : 'input'} has no field \`${field}\`.`,
        {
          hint: `Its fields: ${known.join(', ') || 'none'}.`,
        },
      );
    }
  }
}

const valueAt = (value: unknown, name: string): unknown =>
  name.split('.').reduce<unknown>((at, key) => (at as Record<string, unknown> | undefined)?.[key], value);

function valueText(value: unknown): string {
  if (value === undefined) return '';
  if (isArtifactRef(value)) return value.digest;
  return typeof value === 'string' ? value : JSON.stringify(value);
}
