import { DeleteObjectCommand, HeadObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import path from 'node:path';
import type { Digest } from '../../../sdk/artifact.js';
import { openArtifactStore } from '../../../store/open-artifact-store.js';
import { describeWith } from '../../support/describe-with.js';
import { startS3, type TestS3 } from '../../support/start-s3.js';
import { temporaryFolder } from '../../support/temporary-folder.js';
import { artifactStoreContract } from '../../unit/store/artifact-store-contract.js';

const keyOf = (digest: Digest): string =>
  `some/where/v1/blobs/sha256/${digest.slice(7, 9)}/${digest.slice(9)}`;

describeWith({ s3: true }, 'S3', () => {
  let s3: TestS3;
  beforeAll(async () => {
    s3 = await startS3();
  });

  for (const cached of [false, true]) {
    artifactStoreContract(cached ? 'S3 with a cache on this machine' : 'S3', async () => {
      const Bucket = await s3.bucket();
      const dir = path.join(await temporaryFolder(), 'cache');
      return {
        store: await openArtifactStore(`s3://${Bucket}/some/where`, {
          s3: { endpoint: s3.endpoint },
          ...(cached && { storeCache: { dir, size: 2 ** 30 } }),
        }),
        async corrupt(digest) {
          const Key = keyOf(digest);
          const { ContentLength = 0 } = await s3.client.send(new HeadObjectCommand({ Bucket, Key }));
          await s3.client.send(new PutObjectCommand({ Bucket, Key, Body: '?'.repeat(ContentLength) }));
        },
        async lose(digest) {
          await s3.client.send(new DeleteObjectCommand({ Bucket, Key: keyOf(digest) }));
        },
      };
    });
  }
});
