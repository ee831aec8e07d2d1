/**
 * A parameter as any catalog can keep it: PostgreSQL refuses a text with the character NUL, and SQLite gives back what comes before
 * it. JSON writes it as an escape and is not touched.
 */
export const withoutNul = (parameter: unknown): unknown =>
  typeof parameter === 'string' && parameter.includes('\0')
    ? parameter.replaceAll('\0', '\uFFFD')
    : parameter;
