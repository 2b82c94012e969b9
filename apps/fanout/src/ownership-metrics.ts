import type { Metrics } from '@rivulet/service';

/** What a fold counts. */
export interface FoldMetrics {
  accepted(fragments: number): void;
  duplicates(fragments: number): void;
  /** A judged refusal is a counter by reason, not a dead letter [OWN-7]. */
  refused(code: string, count: number): void;
}

/** What owners say of themselves. One object per process; gauges are read when they are scraped. */
export interface OwnershipMetrics extends FoldMetrics {
  deadLetter(reason: string): void;
  flushed(values: number): void;
  flushFailed(): void;
  restored(seconds: number): void;
  /** A stream that a takeover had to end, by error code [OWN-5]. */
  endedAtTakeover(code: string): void;
}

/** Sums over all partitions. */
export interface OwnershipGauges {
  ownedPartitions(): number;
  followedPartitions(): number;
  openStreams(): number;
  finishedStreams(): number;
  foldLag(): number;
  replayBytes(): number;
}

export function ownershipMetrics(metrics: Metrics): OwnershipMetrics {
  const accepted = metrics.counter('fragments_accepted_total', 'Fragments that became part of their stream.');
  const duplicates = metrics.counter('duplicates_total', 'Fragments that were in their stream already: normal after resends.');
  const refused = metrics.counter('refused_total', 'Fragments and requests the judge refused, by error code.', ['code']);
  const deadLetters = metrics.counter('deadletters_total', 'Records that could not be read and went to the dead letters.', ['reason']);
  const flushed = metrics.counter('lifecycle_values_total', 'Lifecycle values acknowledged by the log.');
  const flushFailed = metrics.counter('lifecycle_flush_failures_total', 'Lifecycle flushes the log did not acknowledge; they are tried again.');
  const endedAtTakeover = metrics.counter('takeover_failures_total', 'Streams that failed at a takeover: their records are gone, or their state cannot be read.', ['code']);
  const restored = metrics.histogram('restore_seconds', 'Time from the assignment of a partition until its owner serves it.');
  return {
    accepted: (fragments) => accepted.inc(fragments),
    duplicates: (fragments) => duplicates.inc(fragments),
    refused: (code, count) => refused.inc({ code }, count),
    deadLetter: (reason) => deadLetters.inc({ reason }),
    flushed: (values) => flushed.inc(values),
    flushFailed: () => flushFailed.inc(),
    restored: (seconds) => restored.observe(seconds),
    endedAtTakeover: (code) => endedAtTakeover.inc({ code }),
  };
}

export function addOwnershipGauges(metrics: Metrics, gauges: OwnershipGauges): void {
  metrics.gauge('owned_partitions', 'Partitions this instance owns and serves.', [], (gauge) => gauge.set(gauges.ownedPartitions()));
  metrics.gauge('followed_partitions', 'Partitions of others that this instance folds for its readers.', [], (gauge) => gauge.set(gauges.followedPartitions()));
  metrics.gauge('open_streams', 'Streams that are not final, in the partitions owned.', [], (gauge) => gauge.set(gauges.openStreams()));
  metrics.gauge('finished_streams', 'Ended streams kept until their retention ends.', [], (gauge) => gauge.set(gauges.finishedStreams()));
  metrics.gauge('fold_lag', 'Records between the folds, owned and followed, and the end of the log seen last.', [], (gauge) => gauge.set(gauges.foldLag()));
  metrics.gauge('replay_bytes', 'Bytes a new owner of our partitions would have to replay.', [], (gauge) => gauge.set(gauges.replayBytes()));
}
