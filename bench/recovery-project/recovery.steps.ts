import { dataset, step } from 'millrace';
import { z } from 'zod';

const image = 'busybox:latest';
const resources = { cpus: 0.2, memory: '32MiB' } as const;
const none = z.object({});

/** A training: a line each tenth of a second, with the host's uptime, so that it says itself where it stood still or began anew. */
export const train = step({
  name: 'train',
  image,
  command: [
    'sh',
    '-c',
    'n=0; while [ $n -lt $1 ]; do n=$((n + 1)); read -r up rest < /proc/uptime; echo "$n $up" >> {out.ticks}; echo "tick $n"; sleep 0.1; done',
    'sh',
    '{input.ticks}',
  ],
  input: z.object({ ticks: z.number().int() }),
  output: z.object({ ticks: dataset() }),
  resources,
});

/** Ends by nothing but force. */
export const stubborn = step({
  name: 'stubborn',
  image,
  command: ['sh', '-c', "trap '' TERM INT; echo begun; while true; do sleep 0.2; done"],
  input: none,
  output: none,
  resources,
});

/** Parked until somebody says that it may. */
export const fragile = step({
  name: 'fragile',
  image,
  command: ['sh', '-c', '[ "$1" = true ] || exit 1; sleep 1', 'sh', '{input.works}'],
  input: z.object({ works: z.boolean() }),
  output: none,
  resources,
  onFailure: 'park',
});
