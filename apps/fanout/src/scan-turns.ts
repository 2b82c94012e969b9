import type { Log, LogBatch } from '@rivulet/log';

export interface ScanTurnsOptions {
  log: Log;
  topic: string;
  /** Scans at once over all readers; the others wait in line. */
  concurrentMax: number;
  /** Called with the bytes a scan fetched. */
  onScan?: (bytes: number) => void;
}

export interface ScanTurn {
  partition: number;
  from: number;
  bytesMax: number;
  /** Asked when the turn comes: a reader that has gone meanwhile costs no scan. */
  isWanted: () => boolean;
}

/**
 * The line in which cold readers wait. Each reader asks for one turn at a time and joins the end again, so every reader gets its share
 * whatever the others read [WATCH-4]; a batch is consumed before the slot is given on, so concurrentMax batches are in memory at most.
 */
export class ScanTurns {
  private readonly waiting: (() => void)[] = [];
  private running = 0;

  constructor(private readonly options: ScanTurnsOptions) {}

  /** First offset the log still has. @throws StreamError LOG_UNAVAILABLE */
  async start(partition: number): Promise<number> {
    const { log, topic } = this.options;
    return (await log.bounds(topic, partition)).start;
  }

  /**
   * @param consume gets the batch and must not keep it; not called when the turn is not wanted any more
   * @throws StreamError CURSOR_EXPIRED (below the log start), LOG_UNAVAILABLE
   */
  async take(turn: ScanTurn, consume: (batch: LogBatch) => void): Promise<void> {
    const { log, topic, concurrentMax, onScan } = this.options;
    if (this.running >= concurrentMax) await new Promise<void>((resolve) => this.waiting.push(resolve));
    else this.running += 1;
    try {
      if (!turn.isWanted()) return;
      const batch = await log.scan(topic, turn.partition, turn.from, { bytesMax: turn.bytesMax });
      onScan?.(batch.records.reduce((sum, record) => sum + (record.value?.byteLength ?? 0), 0));
      consume(batch);
    } finally {
      const next = this.waiting.shift();
      // The slot goes straight to the next in line: a newcomer cannot take it in between.
      if (next === undefined) this.running -= 1;
      else next();
    }
  }
}
