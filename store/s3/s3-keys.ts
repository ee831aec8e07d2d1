import { ConfigInvalid } from '../../sdk/errors.js';
import type { Digest } from '../../sdk/artifact.js';
import { digestPattern } from '../../sdk/artifact.js';
import type { S3Place } from './s3-settings.js';

const pattern = /^s3:\/\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:\/(.*))?$/;

/** Whether the text names a bucket as `s3://bucket` or `s3://bucket/prefix`. */
export const isS3Url = (url: string): boolean => placeIn(url) !== undefined;

/** Bucket and prefix of `s3://bucket/prefix`. @throws ConfigInvalid */
export function s3Place(url: string): S3Place {
  const place = placeIn(url);
  if (place) return place;
  throw new ConfigInvalid(
    `Expected \`store\` to be \`s3://<bucket>\` or \`s3://<bucket>/<prefix>\`, got ${JSON.stringify(url)}.`,
    {
      hint: "A bucket's name has 3 to 63 lower-case letters, digits, `.` and `-`; no part of the prefix is empty, `.` or `..`.",
      fields: { option: 'store' },
    },
  );
}

function placeIn(url: string): S3Place | undefined {
  const [, bucket, path = ''] = pattern.exec(url) ?? [];
  if (bucket === undefined) return undefined;
  const prefix = path.replace(/\/$/, '');
  const parts = prefix === '' ? [] : prefix.split('/');
  if (parts.some((part) => part === '' || part === '.' || part === '..')) return undefined;
  return { bucket, prefix: prefix === '' ? '' : `${prefix}/` };
}

/** Keys of docs/artifact-layout.md below a prefix. */
export function s3Keys(prefix: string): {
  readonly blobs: string;
  readonly ofBlob: (digest: Digest) => string;
  readonly ofCorrupt: (digest: Digest, time: number) => string;
  /** The digest that a key names, undefined for a key that is none of ours. */
  readonly digestOf: (key: string) => Digest | undefined;
} {
  const blobs = `${prefix}v1/blobs/sha256/`;
  return {
    blobs,
    ofBlob(digest) {
      const hex = digest.slice('sha256:'.length);
      return `${blobs}${hex.slice(0, 2)}/${hex.slice(2)}`;
    },
    ofCorrupt: (digest, time) => `${prefix}v1/corrupt/${digest.slice('sha256:'.length)}-${time}`,
    digestOf(key) {
      const rest = key.startsWith(blobs) ? key.slice(blobs.length) : '';
      const digest: Digest = `sha256:${rest.replace(/^(..)\//, '$1')}`;
      return rest[2] === '/' && digestPattern.test(digest) ? digest : undefined;
    },
  };
}
