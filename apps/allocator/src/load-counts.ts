/** Opens of ours the lifecycle table has not shown yet; beyond this the oldest are forgotten, which only makes placement less even. */
const UNSEEN_MAX = 10_000;

/** Open streams per partition: what the table shows plus what this instance has just opened. */
export class LoadCounts {
  private readonly counts = new Map<number, number>();
  private readonly open = new Set<string>();
  private readonly unseen = new Map<string, number>();

  of(partition: number): number {
    return this.counts.get(partition) ?? 0;
  }

  /** Just opened here. */
  opened(streamNo: string, partition: number): void {
    if (this.open.has(streamNo) || this.unseen.has(streamNo)) return;
    if (this.unseen.size >= UNSEEN_MAX) {
      const [oldest, itsPartition] = this.unseen.entries().next().value as [string, number];
      this.unseen.delete(oldest);
      this.add(itsPartition, -1);
    }
    this.unseen.set(streamNo, partition);
    this.add(partition, 1);
  }

  seenOpen(streamNo: string, partition: number): void {
    if (this.open.has(streamNo)) return;
    this.open.add(streamNo);
    if (!this.unseen.delete(streamNo)) this.add(partition, 1);
  }

  seenClosed(streamNo: string, partition: number): void {
    const wasOpen = this.open.delete(streamNo);
    const wasUnseen = this.unseen.delete(streamNo);
    if (wasOpen || wasUnseen) this.add(partition, -1);
  }

  private add(partition: number, change: number): void {
    this.counts.set(partition, this.of(partition) + change);
  }
}
