import type { Bounds, Log, LogBatch } from '@rivulet/log';
import { LogBounds } from './log-bounds';

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

interface Waiting {
  isWanted: () => boolean;
  consume: (batch: LogBatch) => void;
  resolve: () => void;
  reject: (error: unknown) => void;
}
/** Readers that want the same stretch of the log: one scan is for all of them. */
interface Group { turn: ScanTurn; readers: Waiting[] }

/** A batch is given to so many readers at once; then it is others' turn on the loop. */
const CONSUMED_AT_ONCE = 16;

/**
 * The line in which cold readers wait. Each reader asks for one turn at a time and joins the end again, so every reader gets its share
 * whatever the others read [WATCH-4]. Those who wait for the same stretch, as a thousand who come late to one stream do, share one scan.
 * A batch is consumed before the slot is given on, so concurrentMax batches are in memory at most.
 */
export class ScanTurns {
  /** In the order in which they came. */
  private readonly waiting = new Map<string, Group>();
  private readonly logBounds = new Map<number, LogBounds>();
  private running = 0;

  constructor(private readonly options: ScanTurnsOptions) {}

  /** Of the log of a partition; thousands who come back at once ask Kafka once. @throws StreamError LOG_UNAVAILABLE */
  bounds(partition: number): Promise<Bounds> {
    const { log, topic } = this.options;
    let bounds = this.logBounds.get(partition);
    if (bounds === undefined) this.logBounds.set(partition, (bounds = new LogBounds(log, topic, partition)));
    return bounds.ask();
  }

  /**
   * @param consume gets the batch and must not keep it; not called when the turn is not wanted any more
   * @throws StreamError CURSOR_EXPIRED (below the log start), LOG_UNAVAILABLE
   */
  take(turn: ScanTurn, consume: (batch: LogBatch) => void): Promise<void> {
    return new Promise((resolve, reject) => {
      const key = `${turn.partition} ${turn.from} ${turn.bytesMax}`;
      let group = this.waiting.get(key);
      if (group === undefined) this.waiting.set(key, (group = { turn, readers: [] }));
      group.readers.push({ isWanted: turn.isWanted, consume, resolve, reject });
      this.next();
    });
  }

  private next(): void {
    for (const [key, group] of this.waiting) {
      if (this.running >= this.options.concurrentMax) return;
      this.waiting.delete(key);
      this.running += 1;
      void this.scan(group).finally(() => {
        this.running -= 1;
        this.next();
      });
    }
  }

  private async scan({ turn, readers }: Group): Promise<void> {
    const { log, topic, onScan } = this.options;
    const wanted = readers.filter((reader) => reader.isWanted() || void reader.resolve());
    if (wanted.length === 0) return;
    try {
      const batch = await log.scan(topic, turn.partition, turn.from, { bytesMax: turn.bytesMax });
      onScan?.(batch.records.reduce((sum, record) => sum + (record.value?.byteLength ?? 0), 0));
      for (let given = 0; given < wanted.length; given += CONSUMED_AT_ONCE) {
        if (given > 0) await new Promise((resolve) => setImmediate(resolve));
        for (const reader of wanted.slice(given, given + CONSUMED_AT_ONCE)) give(batch, reader);
      }
    } catch (error) {
      for (const reader of wanted) reader.reject(error);
    }
  }
}

function give(batch: LogBatch, { consume, resolve, reject }: Waiting): void {
  try {
    consume(batch);
    resolve();
  } catch (error) {
    reject(error);
  }
}
