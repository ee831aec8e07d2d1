/**
 * Gives each call its place in the run by name and call order: `train`, `train#2`. Deterministic, since a pipeline makes
 * its calls in the same order on each replay.
 */
export function stepPaths(): (name: string) => string {
  const calls = new Map<string, number>();
  return (name) => {
    const count = (calls.get(name) ?? 0) + 1;
    calls.set(name, count);
    return count === 1 ? name : `${name}#${count}`;
  };
}
