import type { S3Client } from '@aws-sdk/client-s3';
import { createS3Calls } from '../../../../store/s3/s3-calls.js';

/** A service that answers from some moment on, and a clock that runs only while somebody waits. */
function service(answersAtMs: number, failure: () => Error) {
  let time = 0;
  let requests = 0;
  const calls = createS3Calls({
    client: {} as S3Client,
    location: 's3://bucket',
    clock: {
      now: () => time,
      pause: (ms) => {
        time += ms;
        return Promise.resolve();
      },
    },
  });
  const ask = () =>
    calls.call(() => {
      requests += 1;
      return time >= answersAtMs ? Promise.resolve('there') : Promise.reject(failure());
    });
  return { calls, ask, time: () => time, requests: () => requests };
}

const refused = () => Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
const status = (name: string, httpStatusCode: number) => () =>
  Object.assign(new Error(name), { name, $metadata: { httpStatusCode } });

it.each([
  ['refuses connections', refused],
  ['resets connections', () => Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' })],
  ['answers 503', status('SlowDown', 503)],
  ['answers 500', status('InternalError', 500)],
  ['times out', () => Object.assign(new Error('timed out'), { name: 'TimeoutError' })],
])('a service that %s for 60 s and more is waited for', async (_, failure) => {
  const { ask, time, requests } = service(90_000, failure);
  expect(await ask()).toBe('there');
  expect(time()).toBeGreaterThan(90_000);
  // Often enough to notice its return within seconds, seldom enough to let it come back.
  expect(requests()).toBeGreaterThan(90_000 / 5_000);
  expect(requests()).toBeLessThan(60);
});

it('a service that stays away is given up after three minutes, with what it was tried with', async () => {
  const { ask, time } = service(Number.POSITIVE_INFINITY, refused);
  await expect(ask()).rejects.toMatchObject({
    code: 'STORE_UNAVAILABLE',
    message: expect.stringMatching(/s3:\/\/bucket answers: connect ECONNREFUSED.*tried for 18\d s/),
    hint: expect.stringContaining('s3.endpoint'),
  });
  expect(time()).toBeLessThan(190_000);
});

it('work that goes on between its failures has its time anew', async () => {
  const { calls, time } = service(0, refused);
  const patience = calls.patience();
  for (let round = 0; round < 200; round += 1) {
    await patience.failed(refused());
    patience.progressed();
  }
  for (let round = 0; round < 20; round += 1) await patience.failed(refused());
  expect(time()).toBeGreaterThan(60_000);
});

it.each([
  ['InvalidAccessKeyId', 403, 'CONFIG_INVALID', 'AWS_ACCESS_KEY_ID'],
  ['SignatureDoesNotMatch', 403, 'CONFIG_INVALID', 'AWS_SECRET_ACCESS_KEY'],
  ['AccessDenied', 403, 'CONFIG_INVALID', 's3:PutObject'],
  ['NoSuchBucket', 404, 'CONFIG_INVALID', 'Create the bucket'],
  ['PermanentRedirect', 301, 'CONFIG_INVALID', 's3.region'],
  ['RequestTimeTooSkewed', 403, 'STORE_UNAVAILABLE', 'clock'],
  ['ExpiredToken', 400, 'STORE_UNAVAILABLE', 'session token'],
  ['XMinioStorageFull', 507, 'STORE_UNAVAILABLE', 'Make room'],
  ['MalformedXML', 400, 'INFRASTRUCTURE_FAILED', 'service'],
])('%s is said at once', async (name, code, expected, hint) => {
  const { ask, requests } = service(1, status(name, code));
  await expect(ask()).rejects.toMatchObject({ code: expected, hint: expect.stringContaining(hint) });
  expect(requests()).toBe(1);
});

it('what the caller judges is left as it is', async () => {
  for (const each of [status('NoSuchKey', 404), status('PreconditionFailed', 412)]) {
    await expect(service(1, each).ask()).rejects.toMatchObject({ name: each().name });
  }
});

it('an aborted signal ends the wait', async () => {
  const abort = new AbortController();
  const calls = createS3Calls({ client: {} as S3Client, location: 's3://bucket' });
  const asked = calls.call(() => Promise.reject(refused()), { signal: abort.signal });
  abort.abort();
  await expect(asked).rejects.toThrow(/abort/i);
});
