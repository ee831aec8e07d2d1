import { executionKey } from '../../activities/make-execution.js';
import { isStepClosed } from '../../sdk/states.js';
import type { StepSpec } from '../../sdk/step-spec.js';
import type { AttemptRecord, BuildRecord, Catalog, RunRecord } from '../../store/catalog.js';
import { wasMoved } from '../../store/code-of-steps.js';

/**
 * Why a run cannot go on with a build just now though its history fits: a step of it runs in a container, and is another step there.
 * The next worker that took the container up would take it for another one's, and end it.
 * @returns one sentence, or undefined
 */
export async function liveContainers(
  { id, build }: Pick<RunRecord, 'id' | 'build'>,
  { catalog, next }: { readonly catalog: Catalog; readonly next: BuildRecord },
): Promise<string | undefined> {
  const live = await liveAttempts(id, catalog);
  if (live.length === 0) return undefined;
  const moved = await wasMoved(id, catalog);
  for (const { name, attempt } of live) {
    const ran = attempt.build ?? (moved ? undefined : build);
    const before = ran === undefined ? undefined : specOf(name, await catalog.build(ran));
    const after = specOf(name, next);
    if (!before || !after || keyOf(before) !== keyOf(after))
      return `Step \`${attempt.path}\` runs in a container just now, and is another in the new code: it would begin anew.`;
  }
  return undefined;
}

type Live = { readonly name: string; readonly attempt: AttemptRecord };

/** Of open steps the attempts whose containers may be there: one whose worker fell silent may go on, too. */
async function liveAttempts(run: string, catalog: Catalog): Promise<readonly Live[]> {
  const [steps, attempts] = await Promise.all([catalog.steps(run), catalog.attempts(run)]);
  return steps.flatMap(({ path, name, status }) => {
    if (isStepClosed(status)) return [];
    const own = attempts.filter((each) => each.path === path).toSorted((a, b) => b.attempt - a.attempt);
    const attempt = own[0];
    const live = attempt?.executor === 'docker' && ['running', 'lost'].includes(attempt.status);
    return live ? [{ name, attempt }] : [];
  });
}

/** What a container's name is made from. Image and input the run has from its start and its history. */
const keyOf = (spec: StepSpec): string => executionKey({ spec, input: null });

const specOf = (name: string, build: BuildRecord | undefined): StepSpec | undefined =>
  build?.steps.find((spec) => spec.name === name);
