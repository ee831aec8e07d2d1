import { HeadObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { chmod, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describeWith } from '../../support/describe-with.js';
import { startS3, type TestS3 } from '../../support/start-s3.js';
import { temporaryFolder } from '../../support/temporary-folder.js';
import type { CopyPlace } from '../../unit/store/copy-store-contract.js';
import { copyStoreContract } from '../../unit/store/copy-store-contract.js';

describeWith({ s3: true }, 'stores on S3', () => {
  let s3: TestS3;
  beforeAll(async () => {
    s3 = await startS3();
    // As the AWS SDK knows it: the copying process finds the service by it too.
    process.env['AWS_ENDPOINT_URL_S3'] = s3.endpoint;
  });

  const bucket: CopyPlace = {
    async fresh() {
      const Bucket = await s3.bucket();
      return {
        address: `s3://${Bucket}/some/where`,
        async corrupt(digest) {
          const Key = `some/where/v1/blobs/sha256/${digest.slice(7, 9)}/${digest.slice(9)}`;
          const { ContentLength = 0 } = await s3.client.send(new HeadObjectCommand({ Bucket, Key }));
          await s3.client.send(new PutObjectCommand({ Bucket, Key, Body: '?'.repeat(ContentLength) }));
        },
      };
    },
  };
  const folder: CopyPlace = {
    async fresh() {
      const root = await temporaryFolder();
      return {
        address: `file:${root}`,
        async corrupt(digest) {
          const blob = path.join(root, 'v1/blobs/sha256', digest.slice(7, 9), digest.slice(9));
          const { length } = await readFile(blob);
          await chmod(blob, 0o644);
          await writeFile(blob, '?'.repeat(length));
        },
      };
    },
  };

  copyStoreContract('folder to S3', folder, bucket);
  copyStoreContract('S3 to folder', bucket, folder);
  copyStoreContract('S3 to S3', bucket, bucket);
});
