import type { Log } from '@rivulet/log';

/** Which cluster the log is. All partitions of an instance are taken over at once and ask at once: one question answers them all. */
export class ClusterIdentity {
  private asking: Promise<string> | null = null;

  constructor(private readonly log: Log) {}

  /** Asked anew by whoever comes later: a process may outlive its cluster. @throws StreamError LOG_UNAVAILABLE */
  ask(): Promise<string> {
    this.asking ??= this.log.clusterId().finally(() => (this.asking = null));
    return this.asking;
  }
}
