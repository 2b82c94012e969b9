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
  /** Set when this instance stopped owning the partition: sessions end with `unavailable` and reconnect. */
  readonly isOrphaned: boolean;
  /** Number of sessions watching, for summaries; delivery keeps it. */
  sessions: number;
}

export interface StreamSource {
  /**
   * @returns the entry, pinned in memory until release() has been called as often as open().
   * @throws StreamError NOT_OWNER, NOT_READY (still restoring), STREAM_NOT_FOUND, STREAM_GONE
   */
  open(streamNo: string): Promise<StreamEntry>;
  release(entry: StreamEntry): void;
  summary(streamNo: string): Promise<StreamSummary>;
  /**
   * Resolves when the fold of the partition has reached the end of the log as it was at the call: what was acknowledged before is
   * judged then (a stream opened a moment ago, a cursor another owner gave [LINK-2]).
   * @throws StreamError NOT_OWNER, NOT_READY, LOG_UNAVAILABLE
   */
  caughtUp(partition: number): Promise<void>;
  /**
   * streamNos of a channel known now (open and final ones that are kept), oldest first, and a call for each new one.
   * @returns unsubscribe in `stop`
   */
  channel(channel: string, onStream: (streamNo: string) => void): { present: string[]; stop: () => void };
  /** Reads the stream's records at a place of the log: for cold reads. Bounded and fair between callers by delivery. */
  readonly ready: boolean;
}
