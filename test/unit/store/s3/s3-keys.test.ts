import type { Digest } from '../../../../sdk/artifact.js';
import { s3Keys, s3Place } from '../../../../store/s3/s3-keys.js';

const digest: Digest = `sha256:${'ab'.repeat(32)}`;

it.each([
  ['s3://bucket', { bucket: 'bucket', prefix: '' }],
  ['s3://bucket/', { bucket: 'bucket', prefix: '' }],
  ['s3://my.bucket-1/team/ml/', { bucket: 'my.bucket-1', prefix: 'team/ml/' }],
])('%s is a place', (url, place) => {
  expect(s3Place(url)).toEqual(place);
});

it.each(['s3://', 's3://b', 's3://Bucket', 's3://bucket//a', 's3://bucket/../other', 's3://bucket/a/./b', 's3:bucket'])(
  '%s is refused',
  (url) => {
    expect(() => s3Place(url)).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }));
  },
); // prettier-ignore

it('a key follows from prefix and digest, and back', () => {
  const keys = s3Keys('team/');
  const key = keys.ofBlob(digest);
  expect(key).toBe(`team/v1/blobs/sha256/ab/${'ab'.repeat(31)}`);
  expect(keys.digestOf(key)).toBe(digest);
});

it.each(['other', 'team/v1/blobs/sha256/ab', `team/v1/blobs/sha256/${'ab'.repeat(32)}`, `v1/blobs/sha256/ab/${'ab'.repeat(31)}`])(
  'the key %s names no blob of this store',
  (key) => {
    expect(s3Keys('team/').digestOf(key)).toBeUndefined();
  },
); // prettier-ignore
