// A process of its own that stores or places once: node <script> <url> put <path> | node <script> <url> get <digest> <type> <target>.
// Prints its time and the most memory it took above what it had before.
import { readFile, writeFile } from 'node:fs/promises';
import type { ContentType, Digest } from '../sdk/artifact.js';
import { openArtifactStore } from '../store/open-artifact-store.js';
import { timed } from './report.js';

export type Measured = {
  readonly ms: number;
  /** MiB. */
  readonly memory: number;
  readonly digest?: Digest;
  readonly type?: ContentType;
};

const [url = '', operation, ...args] = process.argv.slice(2);
const store = await openArtifactStore(url);
// Everything is loaded and connected before it counts.
await store.putBytes('ready');
const idle = process.memoryUsage.rss();
// The kernel's own mark of the most: it begins anew.
await writeFile('/proc/self/clear_refs', '5').catch(() => {});
let stored: { readonly digest?: Digest; readonly type?: ContentType } = {};
const ms = await timed(async () => {
  if (operation === 'put') stored = await store.put(String(args[0]));
  else
    await store.place({ digest: args[0] as Digest, type: args[1] as ContentType }, String(args[2]), {
      mode: 'copy',
    });
});
const most = await readFile('/proc/self/status', 'utf8').then(
  (text) => Number(/VmHWM:\s+(\d+)/.exec(text)?.[1]) * 1024,
  () => process.memoryUsage.rss(),
);
const measured: Measured = { ms, memory: (most - idle) / 2 ** 20, ...stored };
console.log(JSON.stringify(measured));
