import type { ArtifactRef } from '../../../sdk/artifact.js';
import { placeholders, renderCommand } from '../../../sdk/command-template.js';

const ref: ArtifactRef = {
  $artifact: 'dataset',
  digest: `sha256:${'a'.repeat(64)}`,
  type: 'file',
  size: 1,
  name: 'x',
};
const input = {
  table: ref,
  models: [ref],
  trees: 100,
  deep: { on: true },
  text: 'a b $& "c"',
  none: null,
  list: [1, 'x'],
};

test.each([
  ['{in.table}', '/d/in/table'],
  ['{in.models.0}', '/d/in/models/0'],
  ['{out.model}', '/d/out/model'],
  ['{out.plot.png}', '/d/out/plot.png'],
  ['--out={out.model}/x', '--out=/d/out/model/x'],
  ['{in.table}:{out.model}', '/d/in/table:/d/out/model'],
  ['{input.trees}', '100'],
  ['--trees={input.trees}', '--trees=100'],
  ['{input.text}', 'a b $& "c"'],
  ['{input.deep}', '{"on":true}'],
  ['{input.deep.on}', 'true'],
  ['{input.list}', '[1,"x"]'],
  ['{input.list.1}', 'x'],
  ['{input.none}', 'null'],
  ['{input.none.x}', ''],
  ['{input.left.out}', ''],
  ['{input.table}', ref.digest],
  ['{other.x} ${HOME} {in}', '{other.x} ${HOME} {in}'],
])('the argument %p becomes %p', (argument, expected) => {
  expect(renderCommand([argument], input, '/d')).toEqual([expected]);
});

test('each argument stays one, and a value brings in no further placeholder', () => {
  expect(renderCommand(['a', '{input.x}', 'b'], { x: '{in.table} ; rm -r /' }, '/d')).toEqual([
    'a',
    '{in.table} ; rm -r /',
    'b',
  ]);
});

test('the placeholders of a command are found once each', () => {
  expect(placeholders(['a', '{in.x}{out.y}', '{in.x}', '{input.z.0}'])).toEqual([
    { kind: 'in', name: 'x' },
    { kind: 'out', name: 'y' },
    { kind: 'input', name: 'z.0' },
  ]);
});
