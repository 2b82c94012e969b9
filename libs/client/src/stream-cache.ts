import type { ReaderEvent } from '@rivulet/protocol';

/**
 * What `watch(…, { cache })` needs: `streamCache()` of `@rivulet/client/cache`, or your own. A cache is never a reason to fail: one that
 * cannot read or write says null, or drops what it is given.
 */
export interface StreamCache {
  open(streamNo: string): Promise<KeptStream | null>;
}

/** What is kept of one stream, for one who watches it. */
export interface KeptStream {
  /** The stream's events from its beginning, in order, nothing missing: `stream`, `fragment`s, `final` if it was reached. */
  readonly events: readonly ReaderEvent[];
  /** Each event that was delivered, the kept ones too. A `rewind` makes everything before it void. */
  add(event: ReaderEvent): void;
  /** Nothing is watched any more. */
  close(): void;
}
