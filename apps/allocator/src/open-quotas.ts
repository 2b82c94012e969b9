import { StreamError } from '@rivulet/protocol';
import type { Quotas } from '@rivulet/service';
import type { LifecycleEntries } from './lifecycle-entries';
import { OpenCounts } from './open-counts';

const NOT_COUNTED_MS = 500;

/** Decides whether a key may open another stream [APPEND-13]. */
export class OpenQuotas {
  private readonly counts: OpenCounts | null;

  constructor(private readonly quotas: Quotas, private readonly entries: LifecycleEntries) {
    this.counts = quotas.countsOpenStreams ? new OpenCounts() : null;
    const { counts } = this;
    if (counts) entries.onChange((entry, streamNo) => counts.take(entry, streamNo));
  }

  /** Open streams by key; empty unless some quota asks for it. */
  get openStreams(): ReadonlyMap<string, number> {
    return this.counts?.byKey ?? new Map();
  }

  /**
   * Before the record is written.
   * @returns gives the place back, when the record could not be written (should it be in the log all the same, it counts when it shows)
   * @throws StreamError QUOTA_EXCEEDED, NOT_READY
   */
  admit(key: string, streamNo: string): () => void {
    const quota = this.quotas.isEmpty ? null : this.quotas.of(key);
    const { counts } = this;
    // An idempotent open that is asked again has its place already.
    if (!quota || counts?.has(streamNo)) return () => undefined;
    // After a restart the count is known only once the topic has been read.
    if (quota.limits.openStreams !== undefined && !this.entries.isReady) {
      throw new StreamError('NOT_READY', { detail: 'Open streams are still being counted.', retryAfterMs: NOT_COUNTED_MS });
    }
    quota.admitOpen(counts?.of(key) ?? 0);
    counts?.opening(streamNo, key);
    return () => counts?.notOpened(streamNo);
  }
}
