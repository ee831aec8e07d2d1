import { join } from 'node:path';
import { describeWith } from '../../support/describe-with.js';
import type { TestPostgres } from '../../support/start-postgres.js';
import { startPostgres } from '../../support/start-postgres.js';
import { temporaryFolder } from '../../support/temporary-folder.js';
import { backupContract } from '../../unit/store/backup-contract.js';

describeWith({ postgres: true }, 'Backups of a catalog on a PostgreSQL server', () => {
  let postgres: TestPostgres;
  beforeAll(async () => {
    postgres = await startPostgres();
  });
  const database = () => postgres.database();
  const file = async () => `sqlite:${join(await temporaryFolder(), 'catalog.db')}`;

  backupContract('from PostgreSQL to SQLite', { from: database, to: file });
  backupContract('from SQLite to PostgreSQL', { from: file, to: database });
});
