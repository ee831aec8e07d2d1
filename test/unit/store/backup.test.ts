import { join } from 'node:path';
import { temporaryFolder } from '../../support/temporary-folder.js';
import { backupContract } from './backup-contract.js';

const fresh = async () => `sqlite:${join(await temporaryFolder(), 'catalog.db')}`;

backupContract('from SQLite to SQLite', { from: fresh, to: fresh });
