// A process of its own that copies a store, a line for each blob: node <script> <from> <to>.
import { copyStore } from '../../../store/copy-store.js';
import { openArtifactStore } from '../../../store/open-artifact-store.js';

async function main([from, to]: readonly string[]): Promise<void> {
  await copyStore({
    from: await openArtifactStore(String(from)),
    to: await openArtifactStore(String(to)),
    atOnce: 2,
    onProgress: ({ stage, blobs }) => console.log(stage, blobs),
  });
}
void main(process.argv.slice(2));
