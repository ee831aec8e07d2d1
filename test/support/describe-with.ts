import { type PartName, realPart } from './real-parts.js';

/** The real parts a suite needs: `{ docker: true, temporal: true }`. */
export type Needs = { readonly [name in PartName]?: true };

/**
 * `describe` for a suite that needs real parts. Where one is missing the suite is skipped, and its title says why and what would
 * run it; where `CI=true` nothing may be skipped, and it fails instead.
 */
export function describeWith(needs: Needs, title: string, suite: () => void): void {
  const missing = (Object.keys(needs) as PartName[]).flatMap((name) => {
    const part = realPart(name);
    return 'missing' in part ? [`${name}: ${part.missing}`] : [];
  });
  if (missing.length === 0) return describe(title, suite);
  const why = missing.join('; ');
  if (process.env['CI'] === 'true') {
    return describe(title, () => {
      test('has the real parts it needs', () => {
        throw new Error(`CI=true lets no suite be skipped, and this one lacks ${why}`);
      });
    });
  }
  describe.skip(`${title} [skipped: ${why}]`, suite);
}
