/** The typed records of the log, as the judge takes them. Encoded by record-codec.ts after proto/log.proto. */
export type Merge = 'text' | 'bytes' | 'json' | 'latest';
export type StreamClass = 'interactive' | 'bulk';

/** Every limit the judge uses; copied into `open` so that a replay gives the verdicts of its day [JUDGE-10]. */
export interface Limits {
  heldFragmentsMax: number;
  heldBytesMax: number;
  gapMsMax: number;
  attemptsMax: number;
  fragmentBytesMax: number;
  /** 0: no limit. */
  streamBytesMax: number;
}

export interface OpenRecord {
  kind: 'open';
  channel: string; // '' when none
  contentType: string;
  merge: Merge;
  class: StreamClass;
  leaseMs: number;
  ttlMs: number;
  retentionMs: number;
  limits: Limits;
  judgeVersion: number;
  metadata: Record<string, unknown>;
  /** Id of the API key this stream counts for [APPEND-13]; absent in records that are older than quotas: those count for nobody. */
  openedBy?: string;
}
export interface AppendRecord {
  kind: 'append';
  epoch: number;
  /** ≥ 1 when numbered, 0 when unnumbered. */
  firstSeq: number;
  /** Unnumbered only: boot id of the ingest, and its counter for the first payload (from 1; the k-th payload has n + k). */
  writer: string;
  n: number;
  /** '' when not given [JUDGE-11]. */
  writerRun: string;
  lane: string;
  payloads: Uint8Array[];
}
export interface RetryRecord { kind: 'retry'; epoch: number; attemptId: string; keep: 'all' | 'none'; reason: string }
export interface EndRecord {
  kind: 'end'; epoch: number; lastSeq: number | null; checksum: number | null; digest: string; metadata: Record<string, unknown>;
  /** Absent when not given [JUDGE-11]. */
  writerRun?: string;
}
export interface AbortRecord { kind: 'abort'; epoch: number; code: string; message: string; writerRun?: string }
export interface CancelRecord { kind: 'cancel'; by: string; reason: string }
/** Key `#beat`: the folder calls the judge once for each stream it names. */
export interface BeatRecord { kind: 'beat'; streams: { no: string; epoch: number }[] }
export interface LapseRecord { kind: 'lapse'; epoch: number; activityOffset: number }
export interface GapRecord { kind: 'gap'; epoch: number; next: number }
export interface ExpireRecord { kind: 'expire' }
export interface DeleteRecord { kind: 'delete' }

export type LogRecord =
  | OpenRecord | AppendRecord | RetryRecord | EndRecord | AbortRecord | CancelRecord
  | BeatRecord | LapseRecord | GapRecord | ExpireRecord | DeleteRecord;

export const BEAT_KEY = '#beat';
export const OWNER_KEY = '#owner';

export interface TopicNames {
  fragments: string; lifecycle: string; cursors: string; deadletters: string;
  /** Of plugins: what is asked, and what each host reports. */
  requests: string; plugins: string;
}
/** Topic names of an installation. @param prefix `rivulet` unless configured, so that installations can share a Kafka */
export function topicNames(prefix: string): TopicNames {
  return {
    fragments: `${prefix}.fragments`, lifecycle: `${prefix}.lifecycle`, cursors: `${prefix}.cursors`, deadletters: `${prefix}.deadletters`,
    requests: `${prefix}.requests`, plugins: `${prefix}.plugins`,
  };
}
