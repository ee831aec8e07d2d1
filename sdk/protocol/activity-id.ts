/** Which delivery of a step an activity is. */
export type DeliveryPlace = {
  readonly path: string;
  /** Number of the container start it belongs to, from 1. */
  readonly attempt: number;
  /** Counts how often this attempt was given to a worker, from 1. */
  readonly delivery: number;
};

/** Id of the activity that delivers a step: `train#2`, `train#2@2`, `train#2@2.3`. */
export function activityId({ path, attempt, delivery }: DeliveryPlace): string {
  if (delivery > 1) return `${path}@${attempt}.${delivery}`;
  return attempt > 1 ? `${path}@${attempt}` : path;
}

/** The delivery that an activity's id stands for. */
export function deliveryPlace(id: string): DeliveryPlace {
  const [, path = id, attempt = 1, delivery = 1] = /^(.*?)(?:@(\d+)(?:\.(\d+))?)?$/s.exec(id) ?? [];
  return { path, attempt: Number(attempt), delivery: Number(delivery) };
}
