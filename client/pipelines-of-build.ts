import { text } from 'node:stream/consumers';
import type { z } from 'zod';
import { artifactKindOf } from '../sdk/artifact.js';
import { InvalidInput, UnknownPipeline } from '../sdk/errors.js';
import { inputProblems } from '../sdk/input-problems.js';
import type { PipelineDefinition } from '../sdk/pipeline.js';
import { isPipeline, PIPELINE } from '../sdk/pipeline.js';
import type { ArtifactStore } from '../store/artifact-store.js';
import type { BuildRecord } from '../store/catalog.js';
import { loadCode } from './load-code.js';
import { nearestName } from './nearest-name.js';

/** The definition of a pipeline as the build has it. @throws UnknownPipeline with the nearest name */
export async function pipelineOfBuild(
  name: string,
  {
    build,
    store,
    projectDir,
  }: { readonly build: BuildRecord; readonly store: ArtifactStore; readonly projectDir: string },
): Promise<PipelineDefinition> {
  const names = build.pipelines.map((pipeline) => pipeline.name);
  if (!names.includes(name)) throw unknownPipeline(name, names);
  const code = await text(await store.read(build.nodeBundle));
  const modules = loadCode<Record<string, Record<string, unknown>>>(code, {
    projectDir,
    what: `build ${build.id}`,
  });
  for (const exported of Object.values(modules)) {
    for (const value of Object.values(exported))
      if (isPipeline(value) && value[PIPELINE].name === name) return value[PIPELINE];
  }
  throw unknownPipeline(name, names);
}

/** Checks input as the run will. @returns the input as given: defaults are filled in by the run @throws InvalidInput naming each wrong field */
export function checkInput(definition: PipelineDefinition, input: unknown): void {
  const parsed = definition.input.safeParse(input);
  const problems = [
    ...(parsed.error ? inputProblems(parsed.error) : []),
    ...unknownFields(definition, input),
  ];
  if (problems.length === 0) return;
  throw new InvalidInput(`The input of pipeline \`${definition.name}\` is wrong: ${problems.join('; ')}.`, {
    fields: { problems },
    hint: [...artifactHints(definition, parsed.error?.issues ?? []), 'Nothing was started.'].join(' '),
  });
}

/** A schema drops fields it does not have: a parameter whose name is misspelt would run with its default. */
function unknownFields({ input: schema }: PipelineDefinition, input: unknown): readonly string[] {
  const { shape, def } = schema as z.ZodObject;
  // A schema that says what it does with other fields is taken at its word.
  if (shape === undefined || def.catchall !== undefined || typeof input !== 'object' || input === null)
    return [];
  const known = Object.keys(shape);
  return Object.keys(input)
    .filter((field) => !known.includes(field))
    .map((field) => {
      const nearest = nearestName(field, known);
      const help =
        nearest === undefined ? `its fields: ${known.join(', ') || 'none'}` : `did you mean \`${nearest}\`?`;
      return `\`${field}\`: no such field, ${help}`;
    });
}

/** A file is given otherwise than people try first. */
function artifactHints({ input }: PipelineDefinition, issues: z.ZodError['issues']): readonly string[] {
  const shape = (input as z.ZodObject).shape as Record<string, z.ZodType> | undefined;
  const fields = new Set(issues.map(({ path }) => String(path[0] ?? '')));
  return [...fields].flatMap((field) => {
    const schema = shape?.[field];
    const kind = schema && artifactKindOf(schema);
    return kind
      ? [
          `\`${field}\` is a ${kind}: give it as \`--input ${field}=@PATH\`, or as what client.upload(path) returns.`,
        ]
      : [];
  });
}

function unknownPipeline(name: string, names: readonly string[]): UnknownPipeline {
  const nearest = nearestName(name, names);
  return new UnknownPipeline(`There is no pipeline \`${name}\`.`, {
    hint: `${nearest === undefined ? '' : `Did you mean \`${nearest}\`? `}Pipelines of this build: ${names.join(', ') || 'none'}.`,
    fields: { known: names },
  });
}
