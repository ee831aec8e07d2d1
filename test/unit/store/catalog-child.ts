// A process of its own that opens the catalog and writes to it: node <script> <url> <name> <count>.
import { openCatalog } from '../../../store/open-catalog.js';
import { aVersion, aStep, anAttempt, aRun } from './records.js';

async function main([url, name, count]: readonly string[]): Promise<void> {
  await using catalog = await openCatalog(String(url));
  const numbers: number[] = [];
  await catalog.insertRun(aRun({ id: name! }));
  for (let index = 1; index <= Number(count); index++) {
    const place = { run: name!, path: `step#${index}` };
    await catalog.project({ steps: [aStep(place)], attempts: [anAttempt(place)] });
    numbers.push((await catalog.registerVersion(aVersion(place))).version);
  }
  console.log(JSON.stringify(numbers));
}
void main(process.argv.slice(2));
