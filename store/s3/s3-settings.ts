/** How an S3 service is reached. Credentials come as the AWS SDK finds them: variables, profile, role of the machine. */
export type S3Settings = {
  /** URL of a service other than AWS. Default: AWS_ENDPOINT_URL_S3 or AWS_ENDPOINT_URL, else AWS. */
  readonly endpoint?: string | undefined;
  /** Default: AWS_REGION, else the profile's, else `us-east-1` where there is an endpoint. */
  readonly region?: string | undefined;
  /** Whether the bucket stands in the path and not in the host's name. Default: true where there is an endpoint. */
  readonly pathStyle?: boolean | undefined;
  /** What objects are encrypted with: `s3` by the service's keys, `kms` by a key of its key service. Default: as the bucket says. */
  readonly encryption?: 'bucket' | 's3' | 'kms' | undefined;
  /** Id or ARN of the key for `kms`. Default: the account's own for S3. */
  readonly kmsKey?: string | undefined;
};

/** Where in S3 a store lies. */
export type S3Place = {
  readonly bucket: string;
  /** Begins every key: empty, or ends with `/`. */
  readonly prefix: string;
};
