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
  private readonly confirmations;
  private readonly probes;
  private readonly resends;
  private readonly takenSessions;

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
    this.confirmations = metrics.counter('confirmations_total', 'Confirmations of named sessions written to the log, several acks in one.');
    this.probes = metrics.counter('session_probes_total', 'Named sessions asked to confirm what they were given.');
    this.resends = metrics.counter('session_resends_total', 'Times a named session was given again what it had not confirmed.');
    this.takenSessions = metrics.counter('sessions_taken_total', 'Connections ended because a newer one took their session name.');
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

  confirmed(): void {
    this.confirmations.inc();
  }

  probed(): void {
    this.probes.inc();
  }

  resent(): void {
    this.resends.inc();
  }

  taken(): void {
    this.takenSessions.inc();
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
