/** Replaces secrets in a text that comes in pieces. */
export type Mask = {
  /** What is safe to show so far. A tail that may be the beginning of a secret is held back. */
  write(text: string): string;
  /** What was held back, once nothing follows. */
  end(): string;
  /** Whether something is held back. */
  holds(): boolean;
};

const replacement = '***';
/** Shorter lines of a secret, such as `}` or `-----`, would hide ordinary output. */
const shortestLine = 8;

/** Masks each value wherever it stands, whole, as JSON escapes it, and line by line. */
export function createMask(values: readonly string[]): Mask {
  const patterns = [...new Set(values.flatMap(formsOf))].sort((a, b) => b.length - a.length);
  if (patterns.length === 0) return { write: (text) => text, end: () => '', holds: () => false };
  const anyPattern = new RegExp(patterns.map(escapeRegExp).join('|'), 'g');
  let held = '';
  return {
    write(text) {
      const whole = held + text;
      let shown = '';
      let from = 0;
      let hold = holdFrom(whole, patterns, 0);
      anyPattern.lastIndex = 0;
      // A match that begins before the held tail is final: no longer secret can begin at its place.
      for (let match = anyPattern.exec(whole); match && match.index < hold; match = anyPattern.exec(whole)) {
        shown += whole.slice(from, match.index) + replacement;
        from = anyPattern.lastIndex;
        if (from > hold) hold = holdFrom(whole, patterns, from);
      }
      held = whole.slice(hold);
      return shown + whole.slice(from, hold);
    },
    end() {
      const rest = held.replace(anyPattern, replacement);
      held = '';
      return rest;
    },
    holds: () => held !== '',
  };
}

function formsOf(value: string): readonly string[] {
  const whole = value.trim();
  if (whole === '') return [];
  const lines = whole.split(/\r?\n/).map((line) => line.trim());
  return [
    whole,
    JSON.stringify(whole).slice(1, -1),
    ...(lines.length > 1 ? [lines.join('\n'), lines.join('\r\n')] : []),
    ...lines.filter((line) => line.length >= shortestLine),
  ];
}

/** First index whose rest of the text is the beginning, but not the whole, of a pattern. */
function holdFrom(text: string, patterns: readonly string[], from: number): number {
  const longest = patterns[0]?.length ?? 0;
  for (let index = Math.max(from, text.length - longest + 1); index < text.length; index += 1) {
    const rest = text.slice(index);
    if (patterns.some((pattern) => pattern.length > rest.length && pattern.startsWith(rest))) return index;
  }
  return text.length;
}

const escapeRegExp = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
