import type { Limits, Merge, OpenRecord, StreamClass } from './records';
import type { ErrorCode } from './errors';

/** `lost` is not here: it is advisory and never changes content [JUDGE-1]. */
export type StreamStatus = 'open' | 'ended' | 'failed' | 'cancelled' | 'expired';
/** What everyone is shown: status, or `lost` while the lease of an open stream has lapsed, or `deleted`. */
export type PublicStatus = StreamStatus | 'lost' | 'deleted';

export type OpenFacts = Omit<OpenRecord, 'kind'>;

export interface HeldFragment {
  sequence: number;
  /** Offset of the record it came in: a checkpoint lists held fragments by (sequence, offset) and a new owner re-reads them. */
  offset: number;
  lane: string;
  /** null only between decoding a checkpoint and re-reading the payload. */
  payload: Uint8Array | null;
  bytes: number;
}

export interface PendingEnd {
  lastSeq: number;
  checksum: number | null;
  digest: string;
  metadata: Record<string, unknown>;
  offset: number;
  /** Offsets of repeats of this end, newest last, at most 8: each asks for a verdict too [APPEND-4]. */
  repeatOffsets: number[];
}

export interface Attempt {
  epoch: number;
  attemptId: string; // '' for epoch 1
  /** First sequence this epoch may write: 1 for epoch 1 and after keep: none, next at the time of the retry after keep: all. */
  firstSequence: number;
  keep: 'all' | 'none';
  reason: string;
  /** How it ended: null while current. */
  outcome: 'superseded' | StreamStatus | null;
  startedAt: number;
}

export interface FinalFacts {
  status: Exclude<StreamStatus, 'open'>;
  /** Error code of the table or the producer's own abort code; '' for a clean end. */
  reason: string;
  message: string;
  epoch: number;
  /** Last sequence of the content (0: empty). */
  sequence: number;
  bytes: number;
  /** CRC-32 of the content. */
  checksum: number;
  /** sha-256 hex given by the producer, or ''. */
  digest: string;
  metadata: Record<string, unknown>;
  /** Judged time, ms. */
  at: number;
  offset: number;
}

/**
 * What the fold of a stream's records knows. Mutated only by the judge. Plain values only: encodeState writes all of it.
 * Invariants: `next` is the only sequence that is accepted; held sequences are > next, sorted, unique;
 * `pendingEnd` is set only while next ≤ pendingEnd.lastSeq; `final` is set iff status is not `open`;
 * after it only `isDeleted`, `judgedAt` and `offset` change.
 * A beat changes only `isLost` and `activityOffset`: a replay may skip beats [OWN-3] and must reach the same content.
 */
export interface StreamState {
  streamNo: string;
  open: OpenFacts;
  openedAt: number;
  openedOffset: number;
  status: StreamStatus;
  isLost: boolean;
  isDeleted: boolean;
  epoch: number;
  numbering: 'undecided' | 'numbered' | 'unnumbered';
  next: number;
  bytes: number;
  checksum: number;
  /** Bound to the epoch by its first append; '' while unbound [JUDGE-11]. */
  writerRun: string;
  /** Most recent last; at most 8 [JUDGE-4]. */
  writers: { writer: string; n: number }[];
  held: HeldFragment[];
  heldBytes: number;
  /** Judged time since `next` is what is missing (fragments held behind it, or an end that waits), or null when nothing is. */
  gapSince: number | null;
  pendingEnd: PendingEnd | null;
  attempts: Attempt[];
  final: FinalFacts | null;
  /** Judged time: the highest broker timestamp seen [JUDGE-3]. */
  judgedAt: number;
  /** Offset of the last record folded. */
  offset: number;
  /** Offset of the last activity of the current epoch, for `lapse`. */
  activityOffset: number;
}

export type VerdictKind = 'open' | 'end' | 'abort' | 'retry' | 'cancel';
/** The log's answer to one record that asks for one [APPEND-1]. */
export interface Verdict {
  offset: number;
  kind: VerdictKind;
  outcome: 'accepted' | 'pending' | 'refused';
  /** When refused. */
  code?: ErrorCode;
  /** For `retry`. */
  attemptId?: string;
}

/** What one record changed, for views, sessions, verdicts and counters. */
export type Effect =
  | { kind: 'opened' }
  /** Consecutive fragments, newly part of the content: firstSequence, firstSequence + 1, … */
  | { kind: 'fragments'; epoch: number; lane: string; firstSequence: number; payloads: Uint8Array[] }
  /** A retry was accepted. keep none: readers rewind, content starts over. */
  | { kind: 'attempt'; epoch: number; keep: 'all' | 'none' }
  | { kind: 'lost' }
  | { kind: 'resumed' }
  | { kind: 'final'; final: FinalFacts }
  | { kind: 'deleted' }
  | { kind: 'verdict'; verdict: Verdict }
  /** A record or part of it that changed nothing. `duplicate` is normal after resends; the rest are counters by reason [APPEND-1]. */
  | { kind: 'duplicate'; fragments: number }
  | { kind: 'refused'; record: string; code: ErrorCode; fragments: number };

/** Injected CRC-32: native zlib.crc32 in Node, a table in browsers. */
export type Crc32 = (bytes: Uint8Array, previous: number) => number;

/** A place from which a cold reader can start the judge: nothing held, nothing pending there. */
export interface Position {
  /** Every record up to and including this offset is folded. */
  offset: number;
  judgedAt: number;
  epoch: number;
  next: number;
  bytes: number;
  checksum: number;
  numbering: StreamState['numbering'];
  writerRun: string;
  writers: { writer: string; n: number }[];
}

export type { Limits, Merge, StreamClass };
