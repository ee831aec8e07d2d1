import type { Selectable } from 'kysely';
import type { NewMessage, Outbox, OutboxMessage, ReceiverState, Topic } from '../outbox.js';
import { fromJson, orAbsent, parts, present } from './columns.js';
import { exclusive } from './exclusive.js';
import type { CatalogDb, CatalogTables } from './tables.js';

/** The outbox in the catalog's own database, so that a message can be appended in the transaction of what it tells of. */
export function kyselyOutbox(db: CatalogDb): Outbox {
  // The receiver's row is the lock: appending happens inside transactions about other things.
  const inTransaction = <T>(work: (trx: CatalogDb) => Promise<T>): Promise<T> => exclusive(db, [], work);
  return {
    subscribe: (receiver, topics) => subscribe(db, receiver, topics),
    append: (messages) =>
      messages.length === 0 ? Promise.resolve(0) : inTransaction((trx) => appendMessages(trx, messages)),
    async claim(options) {
      // Asked without a transaction first: mostly there is nothing to send.
      const { receiver, now = new Date() } = options;
      if (!(await isDue(db, receiver, now))) return [];
      return inTransaction((trx) => claim(trx, { limit: 50, now, ...options }));
    },
    ack: (options) => inTransaction((trx) => ack(trx, { now: new Date(), ...options })),
    fail: (options) => inTransaction((trx) => fail(trx, options)),
    release: (receiver, holder) => release(db, receiver, holder),
    receivers: () => receiverStates(db),
    list: (filter = {}) => waitingMessages(db, filter),
    retry: (receiver) => retry(db, receiver),
    drop: (receiver, position) => drop(db, receiver, position),
    forget: (receiver) => inTransaction((trx) => forget(trx, receiver)),
    async prune(before) {
      await db.deleteFrom('outbox').where('delivered_at', '<', before.toISOString()).execute();
    },
  };
}

/** Names of the receivers that are told of a topic. */
export async function subscribers(trx: CatalogDb, topic: Topic): Promise<readonly string[]> {
  const rows = await trx.selectFrom('outbox_receivers').select(['name', 'topics']).orderBy('name').execute();
  return rows
    .filter(({ topics }) => fromJson<readonly Topic[]>(topics).includes(topic))
    .map(({ name }) => name);
}

/** Appends inside a transaction; a message whose key is there already is left out. */
export async function appendMessages(trx: CatalogDb, messages: readonly NewMessage[]): Promise<number> {
  let appended = 0;
  // In one order, so that two transactions never wait for each other's receivers.
  for (const receiver of [...new Set(messages.map((message) => message.receiver))].sort()) {
    const line = messages.filter((message) => message.receiver === receiver);
    await addReceiver(trx, receiver, []);
    await lockReceiver(trx, receiver);
    const last = await trx
      .selectFrom('outbox')
      .select(({ fn }) => fn.max('position').as('position'))
      .where('receiver', '=', receiver)
      .executeTakeFirst();
    const first = (last?.position ?? 0) + 1;
    const at = new Date().toISOString();
    const rows = line.map(({ key, body }, index) => ({
      receiver,
      position: first + index,
      key,
      body: JSON.stringify(body),
      created_at: at,
      attempts: 0,
      next_at: at,
    }));
    for (const part of parts(rows)) {
      const inserted = await trx
        .insertInto('outbox')
        .values([...part])
        .onConflict((conflict) => conflict.columns(['receiver', 'key']).doNothing())
        .returning('position')
        .execute();
      appended += inserted.length;
    }
  }
  return appended;
}

async function subscribe(db: CatalogDb, receiver: string, topics: readonly Topic[]): Promise<void> {
  await addReceiver(db, receiver, topics);
  await db
    .updateTable('outbox_receivers')
    .set({ topics: JSON.stringify(topics) })
    .where('name', '=', receiver)
    .execute();
}

const addReceiver = (db: CatalogDb, name: string, topics: readonly Topic[]) =>
  db
    .insertInto('outbox_receivers')
    .values({ name, topics: JSON.stringify(topics) })
    .onConflict((conflict) => conflict.column('name').doNothing())
    .execute();

/**
 * Until the transaction ends nobody else appends to this receiver's line or claims it: positions become visible in their order.
 * Where writers exclude each other anyway it does nothing.
 */
const lockReceiver = (trx: CatalogDb, name: string) =>
  trx
    .updateTable('outbox_receivers')
    .set(({ ref }) => ({ name: ref('name') }))
    .where('name', '=', name)
    .execute();

const waiting = (db: CatalogDb) => db.selectFrom('outbox').selectAll().where('delivered_at', 'is', null);

async function headOf(db: CatalogDb, receiver: string): Promise<OutboxMessage | undefined> {
  const row = await waiting(db)
    .where('receiver', '=', receiver)
    .orderBy('position')
    .limit(1)
    .executeTakeFirst();
  return row && toMessage(row);
}

async function isDue(db: CatalogDb, receiver: string, now: Date): Promise<boolean> {
  const head = await headOf(db, receiver);
  return head !== undefined && head.nextAt <= now.toISOString();
}

type Claim = Required<Parameters<Outbox['claim']>[0]>;

async function claim(
  trx: CatalogDb,
  { receiver, holder, leaseMs, limit, now }: Claim,
): Promise<readonly OutboxMessage[]> {
  await lockReceiver(trx, receiver);
  const held = await trx
    .selectFrom('outbox_receivers')
    .selectAll()
    .where('name', '=', receiver)
    .executeTakeFirst();
  const foreign = held !== undefined && held.holder !== null && held.holder !== holder;
  if (foreign && (held.leased_until ?? '') > now.toISOString()) return [];
  const rows = await waiting(trx).where('receiver', '=', receiver).orderBy('position').limit(limit).execute();
  if (!rows[0] || rows[0].next_at > now.toISOString()) return [];
  await trx
    .updateTable('outbox_receivers')
    .set({ holder, leased_until: after(now, leaseMs) })
    .where('name', '=', receiver)
    .execute();
  return rows.map(toMessage);
}

/** What was sent is marked as such in any case: that the lease went to another meanwhile does not unsend it. */
async function ack(
  trx: CatalogDb,
  { receiver, holder, position, leaseMs, now }: Omit<Claim, 'limit'> & { readonly position: number },
): Promise<boolean> {
  await trx
    .updateTable('outbox')
    .set({ delivered_at: now.toISOString(), body: null, error: null })
    .where('receiver', '=', receiver)
    .where('position', '=', position)
    .execute();
  const renewed = await trx
    .updateTable('outbox_receivers')
    .set({ leased_until: after(now, leaseMs) })
    .where('name', '=', receiver)
    .where('holder', '=', holder)
    .returning('name')
    .executeTakeFirst();
  return renewed !== undefined;
}

async function fail(
  trx: CatalogDb,
  { receiver, holder, position, error, nextAt }: Parameters<Outbox['fail']>[0],
): Promise<void> {
  await trx
    .updateTable('outbox')
    .set(({ eb }) => ({ attempts: eb('attempts', '+', 1), error, next_at: nextAt.toISOString() }))
    .where('receiver', '=', receiver)
    .where('position', '=', position)
    .where('delivered_at', 'is', null)
    .execute();
  await release(trx, receiver, holder);
}

async function release(db: CatalogDb, receiver: string, holder: string): Promise<void> {
  await db
    .updateTable('outbox_receivers')
    .set({ holder: null, leased_until: null })
    .where('name', '=', receiver)
    .where('holder', '=', holder)
    .execute();
}

async function receiverStates(db: CatalogDb): Promise<readonly ReceiverState[]> {
  const receivers = await db.selectFrom('outbox_receivers').selectAll().orderBy('name').execute();
  const counts = await db
    .selectFrom('outbox')
    .select(({ fn }) => ['receiver', fn.countAll().as('count')])
    .where('delivered_at', 'is', null)
    .groupBy('receiver')
    .execute();
  return Promise.all(
    receivers.map(async ({ name, topics, holder }) =>
      present<ReceiverState>({
        receiver: name,
        topics: fromJson(topics),
        waiting: Number(counts.find(({ receiver }) => receiver === name)?.count ?? 0),
        head: await headOf(db, name),
        holder: orAbsent(holder),
      }),
    ),
  );
}

async function waitingMessages(
  db: CatalogDb,
  { receiver, limit = 100 }: { readonly receiver?: string; readonly limit?: number },
): Promise<readonly OutboxMessage[]> {
  let query = waiting(db);
  if (receiver !== undefined) query = query.where('receiver', '=', receiver);
  const rows = await query.orderBy('receiver').orderBy('position').limit(limit).execute();
  return rows.map(toMessage);
}

async function retry(db: CatalogDb, receiver: string | undefined): Promise<number> {
  const now = new Date().toISOString();
  let query = db
    .updateTable('outbox')
    .set({ next_at: now })
    .where('delivered_at', 'is', null)
    .where('next_at', '>', now);
  if (receiver !== undefined) query = query.where('receiver', '=', receiver);
  return (await query.returning('position').execute()).length;
}

async function drop(db: CatalogDb, receiver: string, position: number | undefined): Promise<number> {
  let query = db
    .updateTable('outbox')
    .set({ delivered_at: new Date().toISOString(), body: null, error: 'dropped' })
    .where('receiver', '=', receiver)
    .where('delivered_at', 'is', null);
  if (position !== undefined) query = query.where('position', '=', position);
  return (await query.returning('position').execute()).length;
}

async function forget(trx: CatalogDb, receiver: string): Promise<number> {
  const dropped = await drop(trx, receiver, undefined);
  await trx.deleteFrom('outbox').where('receiver', '=', receiver).execute();
  await trx.deleteFrom('outbox_receivers').where('name', '=', receiver).execute();
  return dropped;
}

const after = (now: Date, ms: number): string => new Date(now.getTime() + ms).toISOString();

const toMessage = (row: Selectable<CatalogTables['outbox']>): OutboxMessage =>
  present<OutboxMessage>({
    receiver: row.receiver,
    position: row.position,
    key: row.key,
    body: fromJson<unknown>(row.body),
    createdAt: row.created_at,
    attempts: row.attempts,
    nextAt: row.next_at,
    error: orAbsent(row.error),
  });
