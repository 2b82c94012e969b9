import type { Metrics } from '@rivulet/service';

export type Transport = 'sse' | 'channel' | 'socket' | 'content';

/** What delivery counts. */
export class DeliveryMetrics {
  private readonly sessions;
  private readonly deliveries;
  private readonly deliveredBytes;
  private readonly lagSeconds;
  private readonly evictions;
  private readonly coldReads;
  private readonly coldScannedBytes;

  /** @param viewBytes what all views hold now */
  constructor(metrics: Metrics, viewBytes: () => number) {
    this.sessions = metrics.gauge('sessions', 'Connections of readers.', ['transport']);
    this.deliveries = metrics.counter('deliveries_total', 'Events written to sessions.');
    this.deliveredBytes = metrics.counter('delivered_bytes_total', 'Bytes written to sessions.');
    this.lagSeconds = metrics.histogram('delivery_lag_seconds', 'From the broker\'s time of the newest record of a stream to its first encoding for a session at the head.');
    metrics.gauge('view_bytes', 'Memory of the views, under RIVULET_FANOUT_VIEW_BYTES_MAX.', [], (gauge) => gauge.set(viewBytes()));
    this.evictions = metrics.counter('view_evictions_total', 'Stretches of views dropped for want of room.');
    this.coldReads = metrics.counter('cold_reads_total', 'Times a reader went to the log.');
    this.coldScannedBytes = metrics.counter('cold_scanned_bytes_total', 'Bytes of the log read for cold readers, those of other streams too.');
  }

  /** @returns what counts the end of the session */
  opened(transport: Transport): () => void {
    this.sessions.inc({ transport });
    return () => this.sessions.dec({ transport });
  }

  delivered(events: number, bytes: number): void {
    this.deliveries.inc(events);
    this.deliveredBytes.inc(bytes);
  }

  /** @param ms clocks of two machines may disagree: never below 0 */
  lagged(ms: number): void {
    this.lagSeconds.observe(Math.max(0, ms) / 1_000);
  }

  evicted(): void {
    this.evictions.inc();
  }

  wentCold(): void {
    this.coldReads.inc();
  }

  scanned(bytes: number): void {
    this.coldScannedBytes.inc(bytes);
  }
}
