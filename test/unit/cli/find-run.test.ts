import type { MillraceClient, RunHandle } from '../../../client/client.js';
import { findRun } from '../../../cli/find-run.js';
import { UnknownRun } from '../../../sdk/errors.js';
import type { RunFilter, RunRecord } from '../../../store/catalog.js';

/** A client that knows runs, newest first, and one child run that is in no list. */
function client(ids: readonly string[]): MillraceClient {
  const known = [...ids, 'fit-1.child'];
  return {
    runs: ({ limit = 50 }: RunFilter = {}) =>
      Promise.resolve(ids.slice(0, limit).map((id) => ({ id }) as RunRecord)),
    run: (id: string) =>
      ({
        id,
        view: () =>
          known.includes(id)
            ? Promise.resolve({})
            : Promise.reject(new UnknownRun(`There is no run \`${id}\`.`)),
      }) as unknown as RunHandle,
  } as unknown as MillraceClient;
}

const ids = ['mortgage-20261124-12', 'mortgage-20261124-11', 'fit-1', 'fit-1-b'];

test.each([
  ['last', 'mortgage-20261124-12'],
  ['mortgage-20261124-11', 'mortgage-20261124-11'],
  ['mortgage-20261124-12', 'mortgage-20261124-12'],
  ['fit-1', 'fit-1'],
  ['fit-1-', 'fit-1-b'],
  ['fit-1.child', 'fit-1.child'],
])('%s is the run %s', async (text, id) => {
  expect((await findRun(text, client(ids))).id).toBe(id);
});

test('a beginning that fits several names them', async () => {
  await expect(findRun('mortgage', client(ids))).rejects.toMatchObject({
    code: 'UNKNOWN_RUN',
    message: expect.stringMatching(/fits 2 runs.*mortgage-20261124-12, mortgage-20261124-11/),
  });
});

test('what fits none is said to be unknown, and so is the last of none', async () => {
  await expect(findRun('nope', client(ids))).rejects.toMatchObject({ code: 'UNKNOWN_RUN' });
  await expect(findRun('last', client([]))).rejects.toMatchObject({
    code: 'UNKNOWN_RUN',
    message: expect.stringContaining('There is no run yet'),
  });
});
