import type { z } from 'zod';

/** One text a wrong field: its path and the reason. */
export const inputProblems = (error: z.ZodError): readonly string[] =>
  error.issues.map(
    ({ path, message }) =>
      `${path.length === 0 ? 'the input' : `\`${path.map(String).join('.')}\``}: ${message}`,
  );
