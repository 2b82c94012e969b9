/** Shapes on HTTP, SSE and WS. One place, imported by services, SDK and tests. Times are ms since the epoch, sizes bytes. */
import type { Attempt, FinalFacts, PublicStatus, Verdict, VerdictKind } from './state';
import type { Limits, Merge, StreamClass } from './records';
import type { Problem } from './errors';

/** Body of POST /v1/streams; query of /v1/pipe takes channel, contentType, class, intervalMs. */
export interface OpenOptions {
  channel?: string;
  contentType?: string; // default text/plain; charset=utf-8
  merge?: Merge; // default by contentType: text/* → text, application/json → json, else bytes
  class?: StreamClass; // default interactive
  leaseMs?: number;
  ttlMs?: number;
  retentionMs?: number;
  limits?: Partial<Limits>;
  metadata?: Record<string, unknown>;
}
export interface OpenedStream {
  streamNo: string;
  epoch: number;
  writeToken: string;
  readToken: string;
  links: { append: string; end: string; events: string; content: string; state: string };
}
/** Body of POST /v1/tokens: what the bearer may do with that stream, or with that channel (read only). */
export interface TokenBody { streamNo?: string; channel?: string; scope?: 'read' | 'cancel' | 'read cancel'; ttlMs?: number }
export interface IssuedToken { token: string; expiresAt: number }
export interface RetriedStream {
  streamNo: string;
  epoch: number;
  writeToken: string;
  /** First sequence to send, bytes and CRC-32 of what is kept. */
  next: number;
  bytes: number;
  checksum: number;
}
/** Answer of end, abort, cancel: the log's verdict. status PENDING (HTTP 202) when it was not known within verdictMsMax. */
export interface VerdictReply {
  streamNo: string;
  status: PublicStatus | 'PENDING';
  sequence: number;
  bytes: number;
  checksum: number;
}
/** Acknowledgement of one append: durable in Kafka, not a verdict [APPEND-1, APPEND-2]. */
export type AppendAck = { from: number; to: number } | { count: number };

/** One fragment on the way in. Exactly one of data / base64. data: a string on text streams, any JSON value on json and latest streams. */
export interface FragmentIn { seq?: number; data?: unknown; base64?: string; lane?: string }
export interface AppendBody extends FragmentIn { fragments?: FragmentIn[] }
export interface EndBody { lastSeq?: number; checksum?: number; digest?: string; metadata?: Record<string, unknown> }
export interface AbortBody { code: string; message?: string }
export interface CancelBody { reason?: string }
/** POST /v1/watch/:no/ack: everything up to the cursor is in the hands of the session [WATCH-6]. */
export interface AckBody { session: string; cursor: string }
/** Durable. cursor: the furthest the session ever confirmed, which may be beyond the one it gave. */
export interface ConfirmedReply { streamNo: string; session: string; cursor: string }
/** What a named session confirmed, and when first [WATCH-7]. isFinal: the end of the stream too, so it has everything. */
export interface ConfirmedCursor { session: string; cursor: string; confirmedAt: number; isFinal: boolean }
export interface RetryBody { attemptId: string; keep?: 'all' | 'none'; reason?: string }

/** GET /v1/watch/:no and one row of GET /v1/admin/streams (there without sessions). */
export interface StreamSummary {
  streamNo: string;
  status: PublicStatus;
  channel: string;
  contentType: string;
  merge: Merge;
  class: StreamClass;
  epoch: number;
  sequence: number;
  bytes: number;
  checksum: number;
  openedAt: number;
  updatedAt: number;
  attempts: Attempt[];
  final: FinalFacts | null;
  metadata: Record<string, unknown>;
  sessions?: number;
  /** Absent when the log does not answer, and on admin routes. */
  confirmed?: ConfirmedCursor[];
}

/** GET /v1/admin/streams, newest first. `next`: the cursor of the page that follows, null after the last. */
export interface AdminStreamPage { streams: StreamSummary[]; next: string | null }
/** GET /v1/admin/streams/:no: what an operator needs to find the stream in the log. Offsets are of the topic `fragments` unless said. */
export interface AdminStream extends StreamSummary {
  /** Id of the API key it counts for; '' for a stream that is older than quotas [APPEND-13]. */
  openedBy: string;
  partition: number;
  openedOffset: number;
  /** Of the owner's claim, and how far its fold was when it published this. */
  claim: number;
  foldedOffset: number;
  /** Where this value stands in the topic `lifecycle`. */
  lifecycleOffset: number;
  checkpointOffset: number | null;
  /** How many places a cold reader can start from. */
  positions: number;
  verdicts: Verdict[];
  leaseMs: number;
  ttlMs: number;
  retentionMs: number;
  limits: Limits;
}

/** Who owns a partition: by the highest claim in its lifecycle, so one that died stays until another instance has claimed. */
export interface PartitionClaim {
  /** Random per start of the process, as in its logs. */
  instance: string;
  address: string;
  /** Offset of the claim in the topic `lifecycle`. */
  claim: number;
  /** Where a next owner's replay would start, an offset of the topic `fragments`. */
  replayFrom: number;
}
/** One row of GET /v1/admin/partitions. */
export interface AdminPartition { partition: number; class: StreamClass; owner: PartitionClaim | null; openStreams: number }

// ---- events to readers: SSE `event:` name = type (without streamNo on a single-stream feed), SSE id = cursor ----
export interface StreamEvent {
  type: 'stream'; streamNo: string; status: PublicStatus; epoch: number; attempt: number; contentType: string; merge: Merge; channel: string; metadata: Record<string, unknown>;
  /** To a named session: what it has confirmed, null for nothing. Without a cursor of its own it goes on there [WATCH-6]. */
  confirmed?: string | null;
}
export interface FragmentEvent {
  type: 'fragment'; streamNo: string;
  /** Sequences covered, inclusive; cursor = epoch.to. */
  from: number; to: number; cursor: string; lane?: string;
  text?: string; base64?: string; items?: unknown[];
}
export interface RewindEvent { type: 'rewind'; streamNo: string; epoch: number; cursor: string }
export interface LostEvent { type: 'lost'; streamNo: string }
export interface ResumedEvent { type: 'resumed'; streamNo: string }
export interface FinalEvent extends Omit<FinalFacts, 'offset'> { type: 'final'; streamNo: string; cursor: string }
/** To a named session that has had more than it confirmed for a while: confirm, or it comes again [WATCH-6]. */
export interface ProbeEvent { type: 'probe'; streamNo: string; confirmed: string | null }
export interface ProblemEvent extends Problem { type: string; streamNo?: string }
/** On a channel only [WATCH-12]: it goes on from here, and not where the reader was. */
export interface ResetEvent { type: 'reset'; reason: 'now' | 'wide' | 'gone'; streams: { streamNo: string; cursor: string }[] }
export type ReaderEvent = StreamEvent | FragmentEvent | RewindEvent | LostEvent | ResumedEvent | FinalEvent;

// ---- WS /v1/watch/ws, JSON frames. `id` is chosen by the client per subscription and comes back on every event of it ----
export type WatchRequest =
  | { type: 'auth'; token: string }
  /**
   * ended: of a channel so many ended streams, the newest; none: all.
   * connection: `READER.N`, of a reader that connects again under its session name.
   * window: fragments sent beyond the last ack before the server waits; none: TCP alone is the flow control.
   */
  | {
    type: 'subscribe'; id: string; streamNo?: string; channel?: string; from?: string; ended?: number;
    session?: string; connection?: string; window?: number; intervalMs?: number;
  }
  | { type: 'unsubscribe'; id: string }
  | { type: 'ack'; id: string; cursor: string }
  | { type: 'cancel'; streamNo: string; reason?: string };
export type WatchReply =
  | { type: 'ready' }
  /** channelCursor: on a channel [WATCH-12]. */
  | ({ id: string; channelCursor?: string } & (ReaderEvent | ResetEvent))
  | ({ id: string } & ProbeEvent)
  /** The confirmation of a named session is durable. */
  | ({ type: 'confirmed'; id: string } & ConfirmedReply)
  | { type: 'cancelled'; streamNo: string; verdict: VerdictReply }
  | { type: 'problem'; id?: string; problem: Problem };

/** Sec-WebSocket-Protocol. `proto`: frames of proto/watch.proto on /v1/watch/ws; none is `json`. */
export const SUBPROTOCOLS = { json: 'rivulet.v1.json', proto: 'rivulet.v1.proto' } as const;

// ---- WS /v1/streams/ws, JSON frames, many streams on one socket ----
export type ProduceRequest =
  | { type: 'auth'; token: string }
  | { type: 'open'; id: string; options?: OpenOptions; idempotencyKey?: string }
  | { type: 'append'; streamNo: string; epoch?: number; run?: string; seq?: number; data?: unknown; base64?: string; lane?: string; fragments?: FragmentIn[] }
  | ({ type: 'end'; streamNo: string; epoch?: number } & EndBody)
  | ({ type: 'abort'; streamNo: string; epoch?: number } & AbortBody)
  | ({ type: 'cancel'; streamNo: string } & CancelBody)
  | { type: 'heartbeat'; streamNo: string; epoch?: number };
export type ProduceReply =
  | { type: 'ready'; windowBytes: number }
  | ({ type: 'opened'; id: string } & OpenedStream)
  | ({ type: 'ack'; streamNo: string } & AppendAck)
  | { type: 'window'; bytes: number }
  | ({ type: 'verdict'; kind: VerdictKind } & VerdictReply)
  | { type: 'cancelled'; streamNo: string; reason: string }
  | { type: 'problem'; streamNo?: string; id?: string; problem: Problem };

/** HTTP header names of ours. */
export const HEADERS = { fragmentSeq: 'fragment-seq', streamEpoch: 'stream-epoch', writerRun: 'writer-run', fragmentLane: 'fragment-lane', idempotencyKey: 'idempotency-key', requestId: 'x-request-id' } as const;
