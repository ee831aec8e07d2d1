import { createSharedWork } from '../../../activities/executors/shared-work.js';

const never = () => new AbortController().signal;

describe('work that several ask for', () => {
  test('is done once, and all hear how it goes', async () => {
    const share = createSharedWork<number>();
    const heard: string[] = [];
    let done = 0;
    const work = async ({ onDetail }: { onDetail: (detail: string) => void }) => {
      onDetail('half');
      return ++done;
    };
    const ask = (name: string) =>
      share('key', work, { signal: never(), onDetail: (detail) => heard.push(`${name}: ${detail}`) });
    expect(await Promise.all([ask('a'), ask('b')])).toEqual([1, 1]);
    expect(heard.sort()).toEqual(['a: half', 'b: half']);
    expect(await ask('c')).toBe(2);
  });

  test('goes on when one leaves, and stops when all have', async () => {
    const share = createSharedWork<string>();
    const [first, second] = [new AbortController(), new AbortController()];
    let stopped = false;
    const work = ({ signal }: { signal: AbortSignal }) =>
      new Promise<string>((_, reject) => {
        signal.addEventListener('abort', () => {
          stopped = true;
          reject(signal.reason as Error);
        });
      });
    const asked = [first, second].map(({ signal }) => share('key', work, { signal }));
    first.abort(new Error('first left'));
    await expect(asked[0]).rejects.toThrow('first left');
    expect(stopped).toBe(false);
    second.abort(new Error('second left'));
    await expect(asked[1]).rejects.toThrow('second left');
    expect(stopped).toBe(true);
  });

  test('that failed is tried again for the next who asks', async () => {
    const share = createSharedWork<string>();
    await expect(
      share('key', () => Promise.reject(new Error('broken')), { signal: never() }),
    ).rejects.toThrow('broken');
    expect(await share('key', () => Promise.resolve('fine'), { signal: never() })).toBe('fine');
  });
});
