import fc from 'fast-check';
import { stepPaths } from '../../../workflows/step-path.js';

const paths = (names: readonly string[]): readonly string[] => names.map(stepPaths());

test('a call is named after its step, and by its order from the second on', () => {
  expect(paths(['train', 'score', 'train', 'train', 'score'])).toEqual([
    'train',
    'score',
    'train#2',
    'train#3',
    'score#2',
  ]);
});

test('a run counts for itself', () => {
  expect([...paths(['a']), ...paths(['a'])]).toEqual(['a', 'a']);
});

test('a gate that is named like a second call takes no path from it', () => {
  expect(paths(['train', 'train#2', 'train'])).toEqual(['train', 'train#2', 'train#3']);
  expect(paths(['train', 'train', 'train#2'])).toEqual(['train', 'train#2', 'train#2#2']);
});

test('the same calls have the same paths, and no two calls share one, whatever their names', () => {
  const names = fc.constantFrom('a', 'b', 'a#2', 'a#2#2', 'b#3', 'constructor');
  fc.assert(
    fc.property(fc.array(names, { maxLength: 30 }), (calls) => {
      const given = paths(calls);
      expect(new Set(given).size).toBe(calls.length);
      expect(paths(calls)).toEqual(given);
    }),
  );
});
