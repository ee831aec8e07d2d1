import { basename } from 'node:path';
import { z } from 'zod';
import { notifyEvents } from '../sdk/notify-event.js';
import type { NotifyTarget } from '../sdk/notify-target.js';
import type { SettingKind } from './setting-kinds.js';

const name = z.string().regex(/^[A-Za-z0-9][\w.-]*$/);
const events = z.array(z.enum(notifyEvents)).min(1).default(['failed', 'parked', 'overdue']);
const target = z.union([
  z.strictObject({
    name: name.optional(),
    // Credentials are no part of it: a message is signed instead. What many services want as a secret path is.
    url: z.string().regex(/^https?:\/\/[^\s/@]+(\/\S*)?$/).refine((value) => URL.canParse(value)),
    secret: z.string().regex(/^[A-Za-z0-9_][A-Za-z0-9_.-]*$/).optional(),
    on: events,
  }),
  z.strictObject({
    name: name.optional(),
    command: z.array(z.string().min(1)).min(1),
    on: events,
  }),
]); // prettier-ignore

/** Whom to tell of runs that want attention: an array, in a variable as JSON. */
export const notifyTargets: SettingKind<readonly NotifyTarget[]> = {
  expected:
    "an array of { url, secret? } or { command: ['program', …] }, each with `on` (" +
    `${notifyEvents.join(', ')}) and a \`name\` of its own where two would have the same`,
  schema: () =>
    z
      .array(target)
      .transform((targets) =>
        targets.map((each): NotifyTarget => ({ ...each, name: each.name ?? ownName(each) })),
      )
      .refine((targets) => new Set(targets.map((each) => each.name)).size === targets.length),
  fromText: (text) => {
    try {
      return JSON.parse(text) as unknown;
    } catch {
      return text;
    }
  },
  // An address may hold a token.
  secret: true,
};

/** Of a service its host, of a program its file. */
const ownName = (given: z.output<typeof target>): string =>
  'url' in given ? new URL(given.url).hostname : basename(given.command[0] ?? '').replaceAll(/[^\w.-]/g, '_');
