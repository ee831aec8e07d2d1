import type { Kysely } from 'kysely';
import type { ArtifactKind, ContentType, Digest } from '../../sdk/artifact.js';
import type { AttemptStatus, RunStatus, StepKind, StepStatus } from '../../sdk/states.js';
import type { CacheUse } from '../cache-index.js';
import type { ApprovalRecord, ArtifactRecord, AttemptRecord, Time } from '../catalog.js';

/** JSON as text; see columns.ts. */
type Json = string;

export type CatalogTables = {
  readonly builds: {
    id: string;
    queue: string;
    /** Counts publications of the queue: the highest is the current build. */
    published: number;
    created_at: Time;
    workflow_bundle: Digest;
    node_bundle: Digest;
    pipelines: Json;
    steps: Json;
  };
  readonly runs: {
    id: string;
    pipeline: string;
    build: string;
    queue: string;
    service: string | null;
    status: RunStatus;
    input: Json | null;
    parent_run: string | null;
    parent_path: string | null;
    plan: Json | null;
    started_at: Time;
    closed_at: Time | null;
    output: Json | null;
    failure: Json | null;
    recovers: string | null;
    paused: Json | null;
    cleanup_failure: Json | null;
    due_at: Time | null;
    overdue_at: Time | null;
  };
  readonly run_tags: { run: string; key: string; value: string };
  readonly steps: {
    run: string;
    path: string;
    name: string;
    kind: StepKind;
    status: StepStatus;
    /** Highest attempt known when the status was written; 0 for none. */
    attempt: number;
    detail: string | null;
    progress: number | null;
    input: Json | null;
    output: Json | null;
    failure: Json | null;
    scheduled_at: Time;
    closed_at: Time | null;
    cached: Json | null;
    repair: Json | null;
    reused: Json | null;
  };
  readonly attempts: {
    run: string;
    path: string;
    attempt: number;
    status: AttemptStatus;
    executor: AttemptRecord['executor'];
    image: string | null;
    worker: string;
    started_at: Time;
    closed_at: Time | null;
    exit_code: number | null;
    cpu_seconds: number | null;
    peak_memory_bytes: number | null;
    wall_seconds: number | null;
    gpu_seconds: number | null;
    failure: Json | null;
    log: Digest | null;
    packages: Json | null;
    resources: Json | null;
    build: string | null;
  };
  readonly metrics: {
    run: string;
    path: string;
    attempt: number;
    name: string;
    /** What tells two points of a series apart: the index, or time and value where there is none. */
    point: string;
    value: number;
    index: number | null;
    at: Time;
  };
  readonly artifacts: {
    run: string;
    path: string;
    direction: ArtifactRecord['direction'];
    field: string;
    kind: ArtifactKind;
    digest: Digest;
    type: ContentType;
    size: number;
    name: string;
    at: Time;
  };
  readonly gates: {
    run: string;
    path: string;
    outcome: Json;
    evidence: Json | null;
    at: Time;
  };
  readonly approvals: {
    run: string;
    path: string;
    gate: string;
    of: Json | null;
    evidence: Json | null;
    opened_at: Time;
    until: Time | null;
    status: ApprovalRecord['status'];
    decision: Json | null;
  };
  readonly model_versions: {
    name: string;
    version: number;
    model: Json;
    run: string;
    path: string;
    metrics: Json;
    evidence: Json | null;
    created_at: Time;
  };
  readonly alias_changes: {
    name: string;
    alias: string;
    /** 1 for the first; the highest is where the alias points. */
    change: number;
    version: number;
    former: number | null;
    run: string;
    path: string;
    at: Time;
  };
  readonly cache_entries: {
    key: Digest;
    step: string;
    pipeline: string;
    run: string;
    path: string;
    output: Json;
    created_at: Time;
  };
  readonly cache_uses: {
    run: string;
    path: string;
    key: Digest;
    parts: Json;
    step: string;
    pipeline: string;
    outcome: CacheUse['outcome'];
    from_run: string | null;
    from_path: string | null;
    reason: string | null;
    at: Time;
  };
  readonly timeline: {
    run: string;
    path: string;
    at: Time;
    attempt: number;
    kind: string;
    text: string;
    data: Json | null;
  };
  readonly hosts: {
    id: string;
    queue: string;
    name: string;
    seen_at: Time;
    gone: number;
  };
  readonly moves: { run: string; home: string; build: string; at: Time };
  readonly checkpoints: {
    run: string;
    path: string;
    attempt: number;
    sequence: number;
    digest: Digest;
    size: number;
    at: Time;
    work: Digest | null;
  };
  readonly log_chunks: {
    run: string;
    path: string;
    attempt: number;
    sequence: number;
    /** Bytes of the log before it. */
    position: number;
    digest: Digest;
    size: number;
    first_at: Time;
    last_at: Time;
  };
  readonly cache_leases: {
    key: Digest;
    run: string;
    path: string;
    attempt: number;
    token: string;
    beats: number;
    renewed_at: Time;
  };
  readonly run_content: {
    run: string;
    digest: Digest;
    type: ContentType;
    size: number;
    at: Time;
  };
  readonly outbox_receivers: {
    name: string;
    topics: Json;
    holder: string | null;
    leased_until: Time | null;
  };
  readonly outbox: {
    receiver: string;
    position: number;
    key: string;
    /** Null once delivered. */
    body: Json | null;
    created_at: Time;
    attempts: number;
    next_at: Time;
    error: string | null;
    delivered_at: Time | null;
  };
};

export type CatalogDb = Kysely<CatalogTables>;
