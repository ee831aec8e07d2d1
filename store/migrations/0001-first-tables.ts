import type { Kysely, Migration } from 'kysely';

/**
 * Rows that project what Temporal decides (steps, attempts, metrics, artifacts, gates, approvals) have no foreign key to
 * runs: a late row, or one of a run whose own row was lost, is still worth keeping.
 */
export const firstTables: Migration = {
  async up(db: Kysely<unknown>) {
    await db.schema
      .createTable('builds')
      .addColumn('id', 'text', (column) => column.notNull())
      .addColumn('queue', 'text', (column) => column.notNull())
      .addColumn('published', 'integer', (column) => column.notNull())
      .addColumn('created_at', 'text', (column) => column.notNull())
      .addColumn('workflow_bundle', 'text', (column) => column.notNull())
      .addColumn('node_bundle', 'text', (column) => column.notNull())
      .addColumn('pipelines', 'text', (column) => column.notNull())
      .addColumn('steps', 'text', (column) => column.notNull())
      .addPrimaryKeyConstraint('builds_key', ['id', 'queue'])
      .addUniqueConstraint('builds_published', ['queue', 'published'])
      .execute();

    await db.schema
      .createTable('runs')
      .addColumn('id', 'text', (column) => column.primaryKey())
      .addColumn('pipeline', 'text', (column) => column.notNull())
      .addColumn('build', 'text', (column) => column.notNull())
      .addColumn('queue', 'text', (column) => column.notNull())
      .addColumn('service', 'text')
      .addColumn('status', 'text', (column) => column.notNull())
      .addColumn('input', 'text')
      .addColumn('parent_run', 'text')
      .addColumn('parent_path', 'text')
      .addColumn('plan', 'text')
      .addColumn('started_at', 'text', (column) => column.notNull())
      .addColumn('closed_at', 'text')
      .addColumn('output', 'text')
      .addColumn('failure', 'text')
      .execute();
    await db.schema
      .createIndex('runs_by_parent')
      .on('runs')
      .columns(['parent_run', 'started_at', 'id'])
      .execute();
    await db.schema.createIndex('runs_by_status').on('runs').columns(['status', 'queue']).execute();
    await db.schema.createIndex('runs_by_pipeline').on('runs').columns(['pipeline', 'started_at']).execute();

    await db.schema
      .createTable('run_tags')
      .addColumn('run', 'text', (column) => column.notNull().references('runs.id').onDelete('cascade'))
      .addColumn('key', 'text', (column) => column.notNull())
      .addColumn('value', 'text', (column) => column.notNull())
      .addPrimaryKeyConstraint('run_tags_key', ['run', 'key'])
      .execute();
    await db.schema.createIndex('run_tags_by_value').on('run_tags').columns(['key', 'value']).execute();

    await db.schema
      .createTable('steps')
      .addColumn('run', 'text', (column) => column.notNull())
      .addColumn('path', 'text', (column) => column.notNull())
      .addColumn('name', 'text', (column) => column.notNull())
      .addColumn('kind', 'text', (column) => column.notNull())
      .addColumn('status', 'text', (column) => column.notNull())
      .addColumn('attempt', 'integer', (column) => column.notNull())
      .addColumn('detail', 'text')
      .addColumn('progress', 'double precision')
      .addColumn('input', 'text')
      .addColumn('output', 'text')
      .addColumn('failure', 'text')
      .addColumn('scheduled_at', 'text', (column) => column.notNull())
      .addColumn('closed_at', 'text')
      .addPrimaryKeyConstraint('steps_key', ['run', 'path'])
      .execute();

    await db.schema
      .createTable('attempts')
      .addColumn('run', 'text', (column) => column.notNull())
      .addColumn('path', 'text', (column) => column.notNull())
      .addColumn('attempt', 'integer', (column) => column.notNull())
      .addColumn('status', 'text', (column) => column.notNull())
      .addColumn('executor', 'text', (column) => column.notNull())
      .addColumn('image', 'text')
      .addColumn('worker', 'text', (column) => column.notNull())
      .addColumn('started_at', 'text', (column) => column.notNull())
      .addColumn('closed_at', 'text')
      .addColumn('exit_code', 'integer')
      .addColumn('cpu_seconds', 'double precision')
      .addColumn('peak_memory_bytes', 'bigint')
      .addColumn('failure', 'text')
      .addColumn('log', 'text')
      .addColumn('packages', 'text')
      .addPrimaryKeyConstraint('attempts_key', ['run', 'path', 'attempt'])
      .execute();

    await db.schema
      .createTable('metrics')
      .addColumn('run', 'text', (column) => column.notNull())
      .addColumn('path', 'text', (column) => column.notNull())
      .addColumn('attempt', 'integer', (column) => column.notNull())
      .addColumn('name', 'text', (column) => column.notNull())
      .addColumn('point', 'text', (column) => column.notNull())
      .addColumn('value', 'double precision', (column) => column.notNull())
      .addColumn('index', 'bigint')
      .addColumn('at', 'text', (column) => column.notNull())
      .addPrimaryKeyConstraint('metrics_key', ['run', 'path', 'attempt', 'name', 'point'])
      .execute();

    await db.schema
      .createTable('artifacts')
      .addColumn('run', 'text', (column) => column.notNull())
      .addColumn('path', 'text', (column) => column.notNull())
      .addColumn('direction', 'text', (column) => column.notNull())
      .addColumn('field', 'text', (column) => column.notNull())
      .addColumn('kind', 'text', (column) => column.notNull())
      .addColumn('digest', 'text', (column) => column.notNull())
      .addColumn('type', 'text', (column) => column.notNull())
      .addColumn('size', 'bigint', (column) => column.notNull())
      .addColumn('name', 'text', (column) => column.notNull())
      .addColumn('at', 'text', (column) => column.notNull())
      .addPrimaryKeyConstraint('artifacts_key', ['run', 'path', 'direction', 'field'])
      .execute();
    await db.schema
      .createIndex('artifacts_by_digest')
      .on('artifacts')
      .columns(['digest', 'direction'])
      .execute();

    await db.schema
      .createTable('gates')
      .addColumn('run', 'text', (column) => column.notNull())
      .addColumn('path', 'text', (column) => column.notNull())
      .addColumn('outcome', 'text', (column) => column.notNull())
      .addColumn('evidence', 'text')
      .addColumn('at', 'text', (column) => column.notNull())
      .addPrimaryKeyConstraint('gates_key', ['run', 'path'])
      .execute();

    await db.schema
      .createTable('approvals')
      .addColumn('run', 'text', (column) => column.notNull())
      .addColumn('path', 'text', (column) => column.notNull())
      .addColumn('gate', 'text', (column) => column.notNull())
      .addColumn('of', 'text')
      .addColumn('evidence', 'text')
      .addColumn('opened_at', 'text', (column) => column.notNull())
      .addColumn('until', 'text')
      .addColumn('status', 'text', (column) => column.notNull())
      .addColumn('decision', 'text')
      .addPrimaryKeyConstraint('approvals_key', ['run', 'path'])
      .execute();
    await db.schema
      .createIndex('approvals_by_status')
      .on('approvals')
      .columns(['status', 'opened_at'])
      .execute();

    await db.schema
      .createTable('model_versions')
      .addColumn('name', 'text', (column) => column.notNull())
      .addColumn('version', 'integer', (column) => column.notNull())
      .addColumn('model', 'text', (column) => column.notNull())
      .addColumn('run', 'text', (column) => column.notNull())
      .addColumn('path', 'text', (column) => column.notNull())
      .addColumn('metrics', 'text', (column) => column.notNull())
      .addColumn('evidence', 'text')
      .addColumn('created_at', 'text', (column) => column.notNull())
      .addPrimaryKeyConstraint('model_versions_key', ['name', 'version'])
      .addUniqueConstraint('model_versions_by_step', ['run', 'path'])
      .execute();

    await db.schema
      .createTable('alias_changes')
      .addColumn('name', 'text', (column) => column.notNull())
      .addColumn('alias', 'text', (column) => column.notNull())
      .addColumn('change', 'integer', (column) => column.notNull())
      .addColumn('version', 'integer', (column) => column.notNull())
      .addColumn('former', 'integer')
      .addColumn('run', 'text', (column) => column.notNull())
      .addColumn('path', 'text', (column) => column.notNull())
      .addColumn('at', 'text', (column) => column.notNull())
      .addPrimaryKeyConstraint('alias_changes_key', ['name', 'alias', 'change'])
      .addUniqueConstraint('alias_changes_by_step', ['run', 'path'])
      .addForeignKeyConstraint('alias_changes_version', ['name', 'version'], 'model_versions', [
        'name',
        'version',
      ])
      .execute();
  },
};
