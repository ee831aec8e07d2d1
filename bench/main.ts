import { parseArgs } from 'node:util';
import { bytes } from '../sdk/bytes.js';
import { heartbeats } from './heartbeats.js';
import { overhead } from './overhead.js';
import { recovery } from './recovery.js';
import { store } from './store.js';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string', default: '7' },
    // Of the bench `store`: the large file and how many small ones there are, less than the figures are defined for where that is enough.
    size: { type: 'string', default: '1GiB' },
    files: { type: 'string', default: '10000' },
    case: { type: 'string', multiple: true, default: [] },
  },
});
const benches = { heartbeats, overhead, recovery, store };
const name = positionals[0] ?? 'overhead';
const bench = Object.entries(benches).find(([each]) => each === name)?.[1];
if (!bench) {
  console.error(`No bench ${name}; there are: ${Object.keys(benches).join(', ')}.`);
  process.exit(2);
}
await bench({
  rounds: Number(values.rounds),
  cases: values.case,
  size: bytes(values.size, 'size'),
  files: Number(values.files),
});
