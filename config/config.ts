import type { CacheDefault } from '../sdk/cache-spec.js';

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
  /** `file:<path>`. Default `file:<stateDir>/artifacts`. MILLRACE_STORE. */
  readonly store: string;
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
  };
  readonly secrets: {
    /** Folder with a file per secret; looked in before the environment. MILLRACE_SECRETS_DIR. */
    readonly dir: string | undefined;
    /** Prefix of environment variables that hold secrets. Default `MILLRACE_SECRET_`. */
    readonly envPrefix: string;
  };
  /** For steps that say nothing of their cache. MILLRACE_CACHE, MILLRACE_CACHE_TTL. */
  readonly cache: CacheDefault;
  /** pino level. Default `info`. MILLRACE_LOG_LEVEL. */
  readonly logLevel: 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'silent';
};
