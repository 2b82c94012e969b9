import type { AbortRecord, EndRecord, Merge } from '@rivulet/protocol';
import type { KeyQuota } from '@rivulet/service';

/** What has to be known of a stream to take its fragments; from its write token, or from the table. */
export interface FragmentRules {
  merge: Merge;
  /** Bytes of one payload. */
  fragmentBytesMax: number;
}

/** Where an append goes and what it may hold: made by Admission, once per request or connection and stream. */
export interface Route {
  streamNo: string;
  partition: number;
  epoch: number;
  /** '' when the producer names none [JUDGE-11]. */
  run: string;
  rules: FragmentRules;
  /** Whose rates its appends count for; null when they are unlimited [APPEND-13]. */
  quota: KeyQuota | null;
}

/** Consecutive fragments of one lane, as they came in one request or one network read. The payloads are owned by the run. */
export interface FragmentRun {
  /** ≥ 1, or 0 when the producer does not number. */
  firstSeq: number;
  lane: string;
  payloads: Uint8Array[];
  /** Sum of the payload lengths. */
  bytes: number;
}

/** What waits for its partition. */
export interface AppendEntry extends FragmentRun {
  kind: 'append';
  streamNo: string;
  epoch: number;
  /** Number of the first payload when the producer does not number, else 0 [JUDGE-4]. */
  n: number;
  run: string;
}
export interface SealEntry {
  kind: 'seal';
  streamNo: string;
  record: EndRecord | AbortRecord;
}
export type LogEntry = AppendEntry | SealEntry;
