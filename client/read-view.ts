import type { Catalog, MetricRecord } from '../store/catalog.js';
import { UnknownRun } from '../sdk/errors.js';
import type { RunView, StepView } from './views.js';

/** A run with all that people want to see of it, from the catalog alone. @throws UnknownRun */
export async function readView(id: string, catalog: Catalog): Promise<RunView> {
  const run = await catalog.run(id);
  if (!run) throw new UnknownRun(`There is no run \`${id}\`.`, { hint: 'See `millrace runs`.' });
  const [steps, attempts, metrics, checkpoints, approvals, gates, models, children] = await Promise.all([
    catalog.steps(id),
    catalog.attempts(id),
    catalog.metrics(id),
    catalog.checkpoints.list(id),
    catalog.approvals({ run: id }),
    catalog.gates(id),
    catalog.models(),
    catalog.runs({ parent: id, limit: 1_000 }),
  ]);
  const childViews = new Map(
    await Promise.all(
      children.map(async (child) => [child.parent?.path, await readView(child.id, catalog)] as const),
    ),
  );
  const views = steps.map((step): StepView => {
    const child = childViews.get(step.path);
    const stored = checkpoints.filter(({ path }) => path === step.path);
    return {
      ...step,
      attempts: attempts.filter(({ path }) => path === step.path).sort((a, b) => b.attempt - a.attempt),
      metrics: lastOfEach(metrics.filter(({ path }) => path === step.path)),
      ...(stored.length > 0 && { checkpoints: stored }),
      ...(child && { child }),
    };
  });
  const versions = models.flatMap((model) => model.versions.filter((version) => version.run === id));
  return { run, steps: views, approvals, gates, versions, at: new Date().toISOString() };
}

function lastOfEach(metrics: readonly MetricRecord[]): readonly MetricRecord[] {
  const last = new Map<string, MetricRecord>();
  for (const metric of metrics) {
    last.delete(metric.name);
    last.set(metric.name, metric);
  }
  return [...last.values()].reverse();
}
