import type { CacheDefault } from '../sdk/cache-spec.js';
import type { NotifyTarget } from '../sdk/notify-target.js';

/** All that a worker, a client and the CLI need to know, each default filled in. From `millrace.config.ts` and the environment. */
export type Config = {
  /** Absolute: the folder of millrace.config.ts or package.json; pipelines are looked for below it. */
  readonly projectDir: string;
  /** Absolute: everything Millrace keeps on this machine. Default `<projectDir>/.millrace`. MILLRACE_STATE_DIR. */
  readonly stateDir: string;
  /** Random id of this state directory, made once and kept in it: labels on containers carry it. */
  readonly installation: string;
  /** Prefix of the Temporal task queues: one per project and environment. Default `millrace`. MILLRACE_QUEUE. */
  readonly queue: string;
  readonly temporal: {
    /** host:port. TEMPORAL_ADDRESS. Undefined: the embedded service of this state directory. */
    readonly address: string | undefined;
    /** Default `default`. TEMPORAL_NAMESPACE. */
    readonly namespace: string;
    /** TEMPORAL_API_KEY. */
    readonly apiKey: string | undefined;
    /** Default true when an API key is given, else false. TEMPORAL_TLS. */
    readonly tls: boolean;
    /** Port of the embedded service. Default: any free one. MILLRACE_TEMPORAL_PORT. */
    readonly port: number | undefined;
  };
  /** `sqlite:<path>` or `postgres://…`, which may hold a password. Default `sqlite:<stateDir>/catalog.db`. MILLRACE_CATALOG. */
  readonly catalog: string;
  /** `file:<path>` or `s3://<bucket>/<prefix>`. Default `file:<stateDir>/artifacts`. MILLRACE_STORE. */
  readonly store: string;
  /** For a store on S3; credentials come as the AWS SDK finds them. */
  readonly s3: {
    /** URL of a service other than AWS. MILLRACE_S3_ENDPOINT, else as AWS_ENDPOINT_URL_S3 says. */
    readonly endpoint: string | undefined;
    /** MILLRACE_S3_REGION, else as AWS_REGION or the profile says. */
    readonly region: string | undefined;
    /** Default: true where there is an endpoint. MILLRACE_S3_PATH_STYLE. */
    readonly pathStyle: boolean | undefined;
    /** Encryption at rest. Default: `kms` with a key, else `bucket`, as the bucket says. MILLRACE_S3_ENCRYPTION. */
    readonly encryption: 'bucket' | 's3' | 'kms';
    /** Key for `kms`. Default: the account's own for S3. MILLRACE_S3_KMS_KEY. */
    readonly kmsKey: string | undefined;
  };
  /** What is kept on this machine of a store on S3. */
  readonly storeCache: {
    /** Absolute. Default `<stateDir>/cache/blobs`. MILLRACE_STORE_CACHE_DIR. */
    readonly dir: string;
    /** Bytes. Default 50 GiB. MILLRACE_STORE_CACHE_SIZE. */
    readonly size: number;
  };
  readonly worker: {
    /** Default `auto`: docker where an engine answers and the images can be had, else process. MILLRACE_EXECUTOR. */
    readonly executor: 'auto' | 'docker' | 'process';
    /** What steps may use of this host in all. Defaults: its cpus, 90 % of its memory, no gpus. MILLRACE_CPUS, MILLRACE_MEMORY, MILLRACE_GPUS. */
    readonly cpus: number;
    /** Bytes. */
    readonly memory: number;
    readonly gpus: number;
    /** Time running steps get at shutdown before they are cancelled, ms. Default 10 s. MILLRACE_SHUTDOWN_GRACE. */
    readonly shutdownGraceMs: number;
    /** What becomes of containers when the worker stops: the next worker on the host takes them over, or they stop. Default `hand-over`. MILLRACE_ON_STOP. */
    readonly onStop: 'hand-over' | 'stop';
    /** What a step may print for long, bytes per second: lines over it are left out of its log, which says so. Default 1 MiB. MILLRACE_LOG_RATE. */
    readonly logRate: number;
    /** What it may print at once over that, bytes. Default 16 MiB. MILLRACE_LOG_BURST. */
    readonly logBurst: number;
  };
  readonly secrets: {
    /** Folder with a file per secret; looked in before the environment. MILLRACE_SECRETS_DIR. */
    readonly dir: string | undefined;
    /** Prefix of environment variables that hold secrets. Default `MILLRACE_SECRET_`. */
    readonly envPrefix: string;
  };
  /** How long a step whose worker is lost waits for its own host before another takes it, ms. Default 60 s. MILLRACE_ADOPT_WITHIN. */
  readonly adoptWithinMs: number;
  /** For steps that say nothing of their cache. MILLRACE_CACHE, MILLRACE_CACHE_TTL. */
  readonly cache: CacheDefault;
  /** Whom to tell of runs that want attention. MILLRACE_NOTIFY, as JSON. */
  readonly notify: readonly NotifyTarget[];
  readonly lineage: {
    /** `http://…`, `https://…` or `file:<path>`: where OpenLineage events go. Default: nowhere. MILLRACE_OPENLINEAGE_URL. */
    readonly openLineage: string | undefined;
    /** Name of the secret that is sent with them as a bearer token. MILLRACE_OPENLINEAGE_SECRET. */
    readonly openLineageSecret: string | undefined;
    /** Namespace of the jobs in them. Default: the queue. MILLRACE_OPENLINEAGE_NAMESPACE. */
    readonly namespace: string;
  };
  /** pino level. Default `info`. MILLRACE_LOG_LEVEL. */
  readonly logLevel: 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'silent';
};
