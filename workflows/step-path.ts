/**
 * Gives each call its place in the run by name and call order: `train`, `train#2`. Deterministic, since a pipeline makes
 * its calls in the same order on each replay.
 */
export function stepPaths(): (name: string) => string {
  const calls = new Map<string, number>();
  const given = new Set<string>();
  return (name) => {
    for (let count = (calls.get(name) ?? 0) + 1; ; count += 1) {
      const path = count === 1 ? name : `${name}#${count}`;
      // A gate may bear any name, `train#2` too.
      if (given.has(path)) continue;
      calls.set(name, count);
      given.add(path);
      return path;
    }
  };
}
