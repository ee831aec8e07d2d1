import type { RunReason } from './decide-reuse.js';

/** Why a call is made anew, in words. What exactly changed only a comparison of the content can tell. */
export function reasonText(reason: RunReason): string {
  switch (reason.kind) {
    case 'asked':
      return 'asked for';
    case 'follows':
      return `takes what ${reason.paths.join(', ')} makes`;
    case 'new':
      return 'never ran';
    case 'failed':
      return `failed${reason.code === undefined ? '' : `: ${reason.code}`}${reason.parts ? `; changed: ${reason.parts.join(', ')}` : ''}`;
    case 'unfinished':
      return 'did not finish';
    case 'unusable':
      return reason.why;
    case 'gone':
      return `its content is gone: ${reason.what}`;
    case 'changed':
      return `changed: ${reason.parts.join(', ')}`;
    case 'input':
      return 'its input is another';
  }
}
