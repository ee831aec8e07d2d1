// A process of its own that stores a file or folder: node <script> <url> <path> [minutes its clock is ahead].
import { openArtifactStore } from '../../../store/open-artifact-store.js';

async function main([url, path, minutesAhead = '0']: readonly string[]): Promise<void> {
  shiftClock(Number(minutesAhead) * 60_000);
  try {
    const store = await openArtifactStore(String(url));
    // What failed once fails again: nothing is corrected unsaid.
    const stored = await store.put(String(path)).catch(() => store.put(String(path)));
    console.log(JSON.stringify(stored));
  } catch (error) {
    const { code, message } = error as { readonly code?: string; readonly message: string };
    console.log(JSON.stringify({ code, message }));
  }
}

function shiftClock(ms: number): void {
  if (ms === 0) return;
  const Real = Date;
  globalThis.Date = class extends Real {
    constructor(given?: number) {
      super(given ?? Real.now() + ms);
    }
    static override now = (): number => Real.now() + ms;
  } as DateConstructor;
}
void main(process.argv.slice(2));
