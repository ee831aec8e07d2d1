import type { Kysely, TableMetadata } from 'kysely';
import { migrations } from '../../../store/migrations/migrations.js';
import { openCatalog } from '../../../store/open-catalog.js';
import { openCatalogDatabase } from '../../../store/open-catalog-database.js';

/** The catalog as the first release made it: every later one must get along with workers of it that still run. */
const [first = ''] = Object.keys(migrations);
const older = Object.fromEntries(Object.entries(migrations).filter(([name]) => name === first));
const past = Object.fromEntries(Object.entries(migrations).slice(0, -1));

/** How a worker of an older version gets along with a catalog that a newer one has migrated. `fresh` gives an empty place. */
export function olderWorkerContract(name: string, fresh: () => Promise<string> | string): void {
  describe(`A worker of an older version on ${name}`, () => {
    it('goes on writing and reading what it knows, once a newer one has migrated the catalog under it', async () => {
      const url = await fresh();
      const { db: old } = await openCatalogDatabase(url, older);
      const known = await tablesOf(old);
      expect(known.length).toBeGreaterThan(9);
      await (await openCatalog(url))[Symbol.asyncDispose]();
      for (const table of known) {
        const row = Object.fromEntries(table.columns.map((column) => [column.name, valueFor(column.dataType)]));
        await old.insertInto(table.name as never).values(row).execute();
        const read = old.selectFrom(table.name as never).select(table.columns.map((column) => column.name as never));
        expect([table.name, await read.execute()]).toEqual([table.name, [row]]);
      }
      await old.destroy();
      await using catalog = await openCatalog(url);
      expect(await catalog.attempts('1')).toMatchObject([{ attempt: 1, cpuSeconds: 0.5 }]);
      expect(await catalog.model('1')).toMatchObject({ aliases: [{ version: 1 }] });
    }); // prettier-ignore

    it('refuses to start on it, with a sentence', async () => {
      const url = await fresh();
      await (await openCatalog(url))[Symbol.asyncDispose]();
      await expect(openCatalog(url, past)).rejects.toMatchObject({
        code: 'CONFIG_INVALID',
        message: expect.stringMatching(/The catalog .* was written by a newer Millrace\. Update this/),
        fields: { unknown: [Object.keys(migrations).at(-1)] },
      });
    });

    it('refuses it also when both start at the same moment, or is there first and is migrated', async () => {
      const url = await fresh();
      const [newer, oldest] = await Promise.allSettled([openCatalog(url), openCatalog(url, past)]);
      expect(newer.status).toBe('fulfilled');
      if (oldest.status === 'rejected') expect(oldest.reason).toMatchObject({ code: 'CONFIG_INVALID' });
      await expect(openCatalog(url, past)).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
      for (const each of [newer, oldest])
        if (each.status === 'fulfilled') await each.value[Symbol.asyncDispose]();
    });
  });
}

/** Those that others refer to come first. */
async function tablesOf(db: {
  readonly introspection: Kysely<unknown>['introspection'];
}): Promise<readonly TableMetadata[]> {
  const tables = await db.introspection.getTables();
  const rank = ({ name }: TableMetadata) => (['runs', 'model_versions'].includes(name) ? 0 : 1);
  return tables.filter(({ name }) => !name.startsWith('millrace_')).sort((a, b) => rank(a) - rank(b));
}

/** Texts are JSON, for some columns hold it. */
function valueFor(type: string): unknown {
  if (/text|char/i.test(type)) return '1';
  return /double|float/i.test(type) ? 0.5 : 1;
}
