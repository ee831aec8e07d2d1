import type { Catalog } from '../../../store/catalog.js';
import { anAttempt, aRun, aStep, at } from './records.js';

const send = (key: string, receiver = 'one') => ({ receiver, key, body: { key } });
const claimed = (holder: string, now = new Date(), receiver = 'one') => ({ receiver, holder, leaseMs: 10_000, now }); // prettier-ignore
const later = (ms: number) => new Date(Date.now() + ms);

/** What the outbox of every catalog does. */
export function outboxContract(name: string, open: () => Promise<Catalog>): void {
  describe(`The outbox of the catalog on ${name}`, () => {
    let catalog: Catalog;
    beforeEach(async () => {
      catalog = await open();
    });
    afterEach(() => catalog[Symbol.asyncDispose]());
    const keys = async (receiver = 'one') => (await catalog.outbox.list({ receiver })).map(({ key }) => key);

    it('gives out messages in the order they came, and each key once, also after it was delivered', async () => {
      const { outbox } = catalog;
      expect(await outbox.append([send('a'), send('b')])).toBe(2);
      expect(await outbox.append([send('b'), send('c'), send('x', 'two')])).toBe(2);
      const messages = await outbox.claim(claimed('me'));
      expect(messages.map(({ key, body }) => [key, body])).toEqual(
        ['a', 'b', 'c'].map((key) => [key, { key }]),
      );
      expect(await outbox.ack({ ...claimed('me'), position: messages[0]!.position })).toBe(true);
      expect(await outbox.append([send('a')])).toBe(0);
      expect(await keys()).toEqual(['b', 'c']);
      expect(await keys('two')).toEqual(['x']);
      await outbox.prune(later(1_000));
      expect(await outbox.append([send('a')])).toBe(1);
      expect(await keys()).toEqual(['b', 'c', 'a']);
    });

    it('lets one holder at a time send to a receiver, and another when the lease has run out', async () => {
      const { outbox } = catalog;
      await outbox.append([send('a'), send('b'), send('x', 'two')]);
      const [first] = await outbox.claim(claimed('me'));
      expect(await outbox.claim(claimed('you'))).toEqual([]);
      expect(await outbox.claim(claimed('you', new Date(), 'two'))).toHaveLength(1);
      expect(await outbox.claim(claimed('me'))).toHaveLength(2);
      expect(await outbox.claim(claimed('you', later(11_000)))).toHaveLength(2);
      expect(await outbox.ack({ ...claimed('me'), position: first!.position })).toBe(false);
      expect(await keys()).toEqual(['b']);
      await outbox.release('one', 'me');
      expect(await outbox.claim(claimed('me'))).toEqual([]);
      await outbox.release('one', 'you');
      expect(await outbox.claim(claimed('me'))).toHaveLength(1);
    });

    it('is claimed by exactly one of many at once', async () => {
      const { outbox } = catalog;
      await outbox.append([send('a')]);
      const answers = await Promise.all(
        ['1', '2', '3', '4', '5'].map((holder) => outbox.claim(claimed(holder))),
      );
      expect(answers.filter(({ length }) => length > 0)).toHaveLength(1);
    });

    it('gives each message a place of its own when many transactions append at once', async () => {
      await catalog.outbox.subscribe('one', ['lifecycle']);
      await catalog.outbox.subscribe('two', ['lifecycle']);
      await Promise.all(
        Array.from({ length: 20 }, async (_, index) => {
          const run = `run-${index}`;
          await catalog.insertRun(aRun({ id: run }));
          await catalog.project({ steps: [aStep({ run })], attempts: [anAttempt({ run })] });
          await catalog.updateRun({ id: run, status: 'completed' });
        }),
      );
      for (const receiver of ['one', 'two']) {
        const messages = await catalog.outbox.list({ receiver });
        expect(new Set(messages.map(({ position }) => position)).size).toBe(60);
        for (let index = 0; index < 20; index += 1)
          expect(messages.filter(({ key }) => key.startsWith(`run-${index} `)).map(({ key }) => key)).toEqual([
            `run-${index} started`, `run-${index} train started`, `run-${index} completed`,
          ]); // prettier-ignore
      }
    });

    it('holds a line up while its head cannot be sent, says why, and goes on when asked to', async () => {
      const { outbox } = catalog;
      await outbox.append([send('a'), send('b')]);
      const [head] = await outbox.claim(claimed('me'));
      const nextAt = later(60_000);
      await outbox.fail({ receiver: 'one', holder: 'me', position: head!.position, error: '503', nextAt });
      expect(await outbox.claim(claimed('you'))).toEqual([]);
      expect(await outbox.receivers()).toEqual([
        {
          receiver: 'one',
          topics: [],
          waiting: 2,
          head: { ...head!, attempts: 1, error: '503', nextAt: nextAt.toISOString() },
        },
      ]);
      expect(await outbox.claim(claimed('you', later(61_000)))).toHaveLength(2);
      await outbox.release('one', 'you');
      expect(await outbox.retry('two')).toBe(0);
      expect(await outbox.retry('one')).toBe(1);
      expect(await outbox.claim(claimed('you'))).toHaveLength(2);
    });

    it('drops one message, or a whole receiver that is then told of nothing', async () => {
      const { outbox } = catalog;
      await outbox.subscribe('one', ['lifecycle']);
      await outbox.append([send('a'), send('b'), send('c')]);
      const [, b] = await outbox.list();
      expect(await outbox.drop('one', b!.position)).toBe(1);
      expect(await keys()).toEqual(['a', 'c']);
      expect(await outbox.forget('one')).toBe(2);
      await catalog.insertRun(aRun());
      expect(await outbox.receivers()).toEqual([]);
      expect(await outbox.list()).toEqual([]);
    });

    describe('tells those who subscribed', () => {
      const told = async () => (await catalog.outbox.list()).map(({ key }) => key);
      beforeEach(() => catalog.outbox.subscribe('one', ['lifecycle']));

      it('of the beginning and end of runs and steps, once each, in order, however often rows are written', async () => {
        for (let twice = 0; twice < 2; twice += 1) {
          await catalog.insertRun(aRun());
          await catalog.project({ steps: [aStep({ status: 'queued' })] });
          await catalog.project({ steps: [aStep()], attempts: [anAttempt()] });
          await catalog.project({ steps: [aStep({ progress: 0.5 })] });
          await catalog.project({
            steps: [aStep({ status: 'completed' })],
            attempts: [anAttempt({ status: 'completed' })],
          });
          await catalog.updateRun({ id: 'run-1', status: 'completed' });
        }
        expect(await told()).toEqual([
          'run-1 started', 'run-1 train started', 'run-1 train completed 1', 'run-1 completed',
        ]); // prettier-ignore
      });

      it('of both ends of a step that was written in one go, and of none of gates, approvals and child runs', async () => {
        await catalog.project({
          steps: [
            aStep({ status: 'queued' }), aStep(), aStep({ status: 'failed' }),
            aStep({ path: 'quality', kind: 'gate', status: 'completed' }),
            aStep({ path: 'release', kind: 'approval', status: 'failed' }),
            aStep({ path: 'child', kind: 'pipeline', status: 'completed' }),
          ],
          attempts: [anAttempt()],
        }); // prettier-ignore
        expect(await told()).toEqual(['run-1 train started', 'run-1 train failed 1']);
      });

      it('again of a step or run that turns out to have ended otherwise', async () => {
        await catalog.insertRun(aRun());
        await catalog.project({ steps: [aStep()], attempts: [anAttempt()] });
        await catalog.project({ steps: [aStep({ status: 'lost' })] });
        await catalog.project({ steps: [aStep({ status: 'completed' })] });
        await catalog.updateRun({ id: 'run-1', status: 'terminated' });
        await catalog.updateRun({ id: 'run-1', status: 'completed' });
        expect((await told()).slice(2)).toEqual([
          'run-1 train lost 1', 'run-1 train completed 1', 'run-1 terminated', 'run-1 completed',
        ]); // prettier-ignore
      });

      it('of parked steps, overdue runs and ends, each who asked for that, and of child runs only what their parents do not say', async () => {
        const { outbox } = catalog;
        await outbox.subscribe('one', []);
        await outbox.subscribe('notify/a', ['notify.failed', 'notify.parked', 'notify.overdue']);
        await outbox.subscribe('notify/b', ['notify.completed', 'notify.parked']);
        const failure = { code: 'STEP_FAILED', what: 'It broke.', fields: { exitCode: 1, logTail: ['s3cret'] } };
        for (const id of ['run-1', 'run-2', 'run-3']) await catalog.insertRun(aRun({ id }));
        await catalog.insertRun(aRun({ id: 'child', parent: { run: 'run-1', path: 'child' } }));
        for (let twice = 0; twice < 2; twice += 1) {
          const rows = { steps: [aStep({ status: 'parked', failure })], attempts: [anAttempt({ status: 'failed' })] } as const;
          await catalog.project(rows);
          expect(await catalog.noticeOverdue('run-1', at(9))).toBe(twice === 0);
        }
        await catalog.project({ steps: [aStep()], attempts: [anAttempt({ attempt: 2 })] });
        await catalog.project({ steps: [aStep({ status: 'parked', failure })] });
        await catalog.updateRun({ id: 'child', status: 'failed' });
        await catalog.updateRun({ id: 'run-1', status: 'failed' });
        await catalog.updateRun({ id: 'run-2', status: 'completed' });
        await catalog.updateRun({ id: 'run-3', status: 'cancelled' });
        expect(await catalog.noticeOverdue('run-2', at(9))).toBe(false);
        expect(await keys('notify/a')).toEqual([
          'run-1 train parked 1', 'run-1 overdue', 'run-1 train parked 2', 'run-1 failed',
        ]);
        expect(await keys('notify/b')).toEqual(['run-1 train parked 1', 'run-1 train parked 2', 'run-2 completed']);
        const [parked] = await outbox.list({ receiver: 'notify/b' });
        expect(parked?.body).toEqual({
          event: 'parked', run: 'run-1', path: 'train',
          failure: { code: 'STEP_FAILED', what: 'It broke.', fields: { exitCode: 1 } },
        });
      }); // prettier-ignore

      it('of a step that is parked anew after a repair, also where no worker took it up, and once', async () => {
        const { outbox } = catalog;
        await outbox.subscribe('notify/a', ['notify.parked']);
        await catalog.insertRun(aRun());
        await catalog.project({ steps: [aStep({ status: 'parked' })], attempts: [anAttempt({ status: 'failed' })] });
        for (const second of [10, 20]) {
          const repair = { do: 'retry', by: 'ada', at: at(second) } as const;
          await catalog.project({ steps: [aStep({ status: 'queued', repair })] });
          // Written again, as by an activity whose answer was lost, after the service said that it waits.
          for (let twice = 0; twice < 2; twice += 1) {
            await catalog.project({ steps: [aStep({ status: 'parked' })] });
            await catalog.project({ steps: [aStep({ status: 'queued' })] });
          }
          await catalog.project({ steps: [aStep({ status: 'parked' })] });
        }
        expect(await keys('notify/a')).toEqual([
          'run-1 train parked 1', `run-1 train parked 1 repaired ${at(10)}`, `run-1 train parked 1 repaired ${at(20)}`,
        ]);
      }); // prettier-ignore

      it('of nothing that was not committed', async () => {
        const wrong = { ...aStep({ path: 'x' }), name: null } as never;
        await expect(catalog.project({ steps: [aStep(), wrong] })).rejects.toThrow();
        expect(await told()).toEqual([]);
      });
    });
  });
}
