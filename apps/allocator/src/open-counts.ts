import type { Entry } from './lifecycle-entries';

/**
 * Open streams per API key, for quotas [APPEND-13]: what the lifecycle topic shows, whoever opened it, plus what this instance has opened
 * and the topic does not show yet, so that a burst here cannot slip past the limit. Opens of other instances count once they are shown.
 * Memory: an entry for each open stream; what is not shown yet is bounded by the quota itself.
 */
export class OpenCounts {
  private readonly counts = new Map<string, number>();
  /** The key that each open stream counts for. */
  private readonly keys = new Map<string, string>();
  /** Opened here and not shown yet. */
  private readonly unshown = new Set<string>();

  of(key: string): number {
    return this.counts.get(key) ?? 0;
  }

  get byKey(): ReadonlyMap<string, number> {
    return this.counts;
  }

  has(streamNo: string): boolean {
    return this.keys.has(streamNo);
  }

  /** Before its record is written: what is asked for at the same time must not be admitted on the same count. */
  opening(streamNo: string, key: string): void {
    if (this.keys.has(streamNo)) return;
    this.unshown.add(streamNo);
    this.add(streamNo, key);
  }

  /** The record could not be written. What the topic shows was written all the same, and stays. */
  notOpened(streamNo: string): void {
    if (this.unshown.has(streamNo)) this.remove(streamNo);
  }

  /** What the lifecycle topic shows. A stream without an opener is older than quotas and counts for nobody. */
  take(entry: Entry | null, streamNo: string): void {
    this.unshown.delete(streamNo);
    const key = entry?.stream?.open.openedBy;
    if (entry === null || entry.isFinal) this.remove(streamNo);
    else if (key !== undefined) this.add(streamNo, key);
  }

  private add(streamNo: string, key: string): void {
    if (this.keys.has(streamNo)) return;
    this.keys.set(streamNo, key);
    this.counts.set(key, this.of(key) + 1);
  }

  private remove(streamNo: string): void {
    this.unshown.delete(streamNo);
    const key = this.keys.get(streamNo);
    if (key === undefined) return;
    this.keys.delete(streamNo);
    const count = this.of(key) - 1;
    if (count > 0) this.counts.set(key, count);
    else this.counts.delete(key);
  }
}
