import type { Position, StreamState, StreamSummary } from '@rivulet/protocol';
import type { StreamView } from './stream-view';

/**
 * What delivery (sessions, content, cold reads) asks of ownership (fold, restore, checkpoints), and all it may know of it.
 * One StreamEntry per stream that is open or watched; a final stream nobody watches is one small map entry inside the owner.
 */
export interface StreamEntry {
  readonly streamNo: string;
  readonly partition: number;
  /** The judge's state: read only here. For a final stream restored from lifecycle it is rebuilt from the stored value. */
  readonly state: StreamState;
  /** Ascending by offset; the first is the `open` itself. */
  readonly positions: readonly Position[];
  /** In-memory part of the content; empty after a restart, a rewind or an eviction. */
  readonly view: StreamView;
  /**
   * Called after what changed (fragments, attempt, lost, resumed, final, deleted, ownership lost), once per batch of the log: cheap,
   * synchronous, must not throw. @returns unsubscribe
   */
  onChange(listener: () => void): () => void;
  /** Set when the replica it belongs to is over: who reads it opens the stream anew and goes on from there [OWN-9]. */
  readonly isOrphaned: boolean;
  /** Number of sessions watching, for summaries; delivery keeps it. */
  sessions: number;
}

/** A stream, and where in the log it was opened: at every instance the same. */
export interface KnownStream { streamNo: string; partition: number; openedOffset: number }
export interface ChannelStream extends KnownStream {
  /** Known to be final. */
  isEnded: boolean;
}

/** A channel, held so that this instance knows its streams until `stop`. */
export interface ChannelHandle {
  /** Where its streams live: one partition per class. */
  readonly partitions: readonly number[];
  /** Of the log: in another one, the same offsets are other streams. */
  readonly clusterId: string;
  /** To be called once. @param onStreams told of new ones, of each partition in the order of the log; it may repeat known ones */
  follow(onStreams: (streams: readonly KnownStream[]) => void): void;
  /**
   * @returns those known now (open ones, and final ones that are kept), of each partition in the order of the log, without a hole
   * @throws StreamError NOT_READY: a partition is not served here now
   */
  streams(): ChannelStream[];
  /** Offset after the last record folded: older streams are known. @throws StreamError NOT_READY */
  foldedTo(partition: number): number;
  stop(): void;
}

export interface StreamSource {
  /**
   * @returns the entry, pinned in memory until release() has been called as often as open().
   * @throws StreamError NOT_OWNER, NOT_READY (still restoring), LOG_UNAVAILABLE, STREAM_NOT_FOUND, STREAM_GONE
   */
  open(streamNo: string): Promise<StreamEntry>;
  release(entry: StreamEntry): void;
  summary(streamNo: string): Promise<StreamSummary>;
  /**
   * Resolves when the fold of the partition has reached the end of the log as it was at the call: what was acknowledged before is
   * judged then (a stream opened a moment ago, a cursor another instance gave [LINK-2]).
   * @throws StreamError NOT_OWNER, NOT_READY, LOG_UNAVAILABLE
   */
  caughtUp(partition: number): Promise<void>;
  /** @throws StreamError NOT_READY, LOG_UNAVAILABLE: the streams of the channel are not known here now */
  channel(channel: string): Promise<ChannelHandle>;
}
