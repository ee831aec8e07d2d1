// A process of its own that stores a file or folder: node <script> <url> <path>.
import { openArtifactStore } from '../../../store/open-artifact-store.js';

async function main([url, path]: readonly string[]): Promise<void> {
  const store = await openArtifactStore(String(url));
  console.log(JSON.stringify(await store.put(String(path))));
}
void main(process.argv.slice(2));
