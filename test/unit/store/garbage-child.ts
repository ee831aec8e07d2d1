// A process of its own that collects garbage again and again, a line each time: node <script> <store> <catalog> <olderThanMs> <graceMs>.
import { collectGarbage } from '../../../store/collect-garbage.js';
import { openArtifactStore } from '../../../store/open-artifact-store.js';
import { openCatalog } from '../../../store/open-catalog.js';

async function main([storeUrl, catalogUrl, olderThanMs, graceMs]: readonly string[]): Promise<void> {
  const store = await openArtifactStore(String(storeUrl));
  const catalog = await openCatalog(String(catalogUrl));
  for (;;) {
    const report = await collectGarbage({
      store,
      catalog,
      olderThanMs: Number(olderThanMs),
      graceMs: Number(graceMs),
    });
    console.log(JSON.stringify(report));
  }
}
void main(process.argv.slice(2));
