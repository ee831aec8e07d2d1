import type { Bytes } from './bytes.js';
import type { Duration } from './duration.js';
import type { NotifyEvent } from './notify-event.js';

/**
 * What `millrace.config.ts` may say: every setting is optional, the environment wins over the file.
 * Paths are relative to the folder of the file. docs/configuration.md lists each with its default.
 */
export type ProjectConfig = {
  /** Folder of everything Millrace keeps on this machine. Default `.millrace`. */
  readonly stateDir?: string | undefined;
  /** Prefix of the Temporal task queues. Default `millrace`. */
  readonly queue?: string | undefined;
  readonly temporal?: {
    /** host:port of a Temporal service. Default: one of this project's own is started. */
    readonly address?: string | undefined;
    /** Default `default`. */
    readonly namespace?: string | undefined;
    readonly apiKey?: string | undefined;
    /** Default: true when an API key is given. */
    readonly tls?: boolean | undefined;
    /** Port of the project's own service. Default: any free one. */
    readonly port?: number | undefined;
  };
  /**
   * `sqlite:<path>`, or `postgres://user@host:5432/database` for workers on several machines; a password rather by MILLRACE_CATALOG
   * or PGPASSWORD. Default `sqlite:.millrace/catalog.db`.
   */
  readonly catalog?: string | undefined;
  /** `file:<path>` or `s3://<bucket>/<prefix>`. Default `file:.millrace/artifacts`. */
  readonly store?: string | undefined;
  /** For a store on S3. Credentials come as the AWS SDK finds them: AWS_* variables, profile, role of the machine. */
  readonly s3?: {
    /** URL of a service other than AWS. Default: as AWS_ENDPOINT_URL_S3 says, else AWS. */
    readonly endpoint?: string | undefined;
    /** Default: as AWS_REGION or the profile says, else `us-east-1` where there is an endpoint. */
    readonly region?: string | undefined;
    /** Whether the bucket stands in the path and not in the host's name. Default: true where there is an endpoint. */
    readonly pathStyle?: boolean | undefined;
    /** Encryption at rest: `s3` by the service's keys, `kms` by a key of its key service. Default: `kms` with a key, else `bucket`: as the bucket says. */
    readonly encryption?: 'bucket' | 's3' | 'kms' | undefined;
    /** Id, alias or ARN of the key for `kms`. Default: the account's own for S3. */
    readonly kmsKey?: string | undefined;
  };
  /** What a worker keeps of a store on S3 on its own disk. */
  readonly storeCache?: {
    /** Default `.millrace/cache/blobs`. */
    readonly dir?: string | undefined;
    /** Least recently used content goes when it takes more; what steps use stays. Default 50 GiB. */
    readonly size?: Bytes | undefined;
  };
  readonly worker?: {
    /** Default `auto`: docker where an engine answers, else process. */
    readonly executor?: 'auto' | 'docker' | 'process' | undefined;
    /** Cpus that steps may use in all. Default: this host's. */
    readonly cpus?: number | undefined;
    /** Memory that steps may use in all. Default: 90 % of this host's. */
    readonly memory?: Bytes | undefined;
    /** Default 0. */
    readonly gpus?: number | undefined;
    /** Time running steps get at shutdown before they are cancelled. Default 10 s. */
    readonly shutdownGrace?: Duration | undefined;
    /**
     * What becomes of containers when the worker stops. Default `hand-over`: they go on, and the next worker on this host takes
     * them over. `stop`: they are stopped, and another host goes on from their checkpoints at once.
     */
    readonly onStop?: 'hand-over' | 'stop' | undefined;
    /** What a step may print in a second, for as long as it likes: lines over it are left out of its log, which says so. Default 1 MiB. */
    readonly logRate?: Bytes | undefined;
    /** What it may print at once over that. Default 16 MiB. */
    readonly logBurst?: Bytes | undefined;
  };
  /** How long a step whose worker is lost waits for its own host, which may have its container still, before another host takes it. Default 60 s. */
  readonly adoptWithin?: Duration | undefined;
  /** For steps that say nothing of their cache. */
  readonly cache?: {
    /** Whether their results are cached. Default false. Never those of steps with `network` unless there is a ttl, nor `inline` ones. */
    readonly default?: boolean | undefined;
    /** A result older than this is computed anew. Default: none is too old. */
    readonly ttl?: Duration | undefined;
  };
  readonly secrets?: {
    /** Folder with a file per secret; looked in before the environment. */
    readonly dir?: string | undefined;
    /** Prefix of environment variables that hold secrets. Default `MILLRACE_SECRET_`. */
    readonly envPrefix?: string | undefined;
  };
  /** Whom to tell of runs that want attention (docs/notifications.md). */
  readonly notify?:
    | readonly ({
        /** Its name in `millrace outbox`. Default: the host, or the program's file. */
        readonly name?: string | undefined;
        /** Of what. Default `['failed', 'parked', 'overdue']`. */
        readonly on?: readonly NotifyEvent[] | undefined;
      } & (
        | {
            /** `http://…` or `https://…`: gets each event as JSON by POST. */
            readonly url: string;
            /** Name of the secret that messages are signed with. Default: they are not. */
            readonly secret?: string | undefined;
          }
        | {
            /** Program and arguments, run on a worker's host in the project's folder: gets each event as JSON on its standard input. */
            readonly command: readonly string[];
          }
      ))[]
    | undefined;
  readonly lineage?: {
    /** `http://…`, `https://…` or `file:<path>`: where OpenLineage events go. Default: nowhere. */
    readonly openLineage?: string | undefined;
    /** Name of the secret that is sent with them as a bearer token. Default: none. */
    readonly openLineageSecret?: string | undefined;
    /** Namespace of the jobs in them. Default: the queue. */
    readonly namespace?: string | undefined;
  };
  /** Default `info`. */
  readonly logLevel?: 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'silent' | undefined;
};

/** Types the object that `millrace.config.ts` exports as its default. */
export const defineConfig = (config: ProjectConfig): ProjectConfig => config;
