import { proxyActivities } from '@temporalio/workflow';

const { noop } = proxyActivities<{
  noop(argument: { readonly index: number }): Promise<{ readonly index: number }>;
}>({
  startToCloseTimeout: '1 minute',
});

/** The floor of `sequential` and `inline`: as many bare activities, one after the other. */
export async function bare({
  steps,
  from,
}: {
  readonly steps: number;
  readonly from: number;
}): Promise<void> {
  for (let index = from; index < from + steps; index++) await noop({ index });
}
