import { digestPattern, isArtifactRef } from '../artifact.js';

/** Who made what: values and digests that outputs brought into a run, to be found again in inputs. */
export interface Marks {
  /** Notes all that is in an output. @param by path of the call that gave it */
  add(output: unknown, by: string): void;
  /** Paths of calls whose outputs are in an input. */
  in(input: unknown): readonly string[];
  /** The marks themselves that are in an input: what a child run is given. */
  of(input: unknown): readonly string[];
}

export type MarksOptions = {
  /** Marks of the parent run that are in this run's input. */
  readonly given?: readonly string[] | undefined;
  /** Values that the run has from elsewhere, such as its input: numbers and texts among them tell nothing. */
  readonly known?: unknown;
};

export function createMarks({ given = [], known }: MarksOptions = {}): Marks {
  const makers = new Map<string, Set<string>>(given.map((mark) => [mark, new Set(['the input'])]));
  const common = new Set(marksOf(known).filter((mark) => !digestPattern.test(mark)));
  return {
    add(output, by) {
      for (const mark of marksOf(output))
        if (!common.has(mark)) makers.set(mark, (makers.get(mark) ?? new Set()).add(by));
    },
    in: (input) => [...new Set(marksOf(input).flatMap((mark) => [...(makers.get(mark) ?? [])]))],
    of: (input) => marksOf(input).filter((mark) => makers.has(mark)),
  };
}

/** An artifact is marked by its digest, numbers and texts by themselves. `true`, `false` and null are too common to tell anything. */
function marksOf(value: unknown): readonly string[] {
  if (isArtifactRef(value)) return [value.digest];
  if (typeof value === 'number' || (typeof value === 'string' && value !== ''))
    return [JSON.stringify(value)];
  if (typeof value !== 'object' || value === null) return [];
  return Object.values(value).flatMap(marksOf);
}
