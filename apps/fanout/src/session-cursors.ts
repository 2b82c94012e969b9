import { encodeAttached, encodeConfirmed, sessionKey } from '@rivulet/protocol';
import type { ConfirmedValue } from '@rivulet/protocol';
import type { Appender, Log } from '@rivulet/log';
import { CursorTable } from './cursor-table';
import type { OwnerLogger } from './dead-letters';
import type { Time } from './time';

export interface SessionCursorsOptions {
  log: Log;
  topic: string;
  time: Time;
  logger: OwnerLogger;
  /** A table nobody needs is kept for so long, ms. */
  idleMs: number;
  /** When a write the log does not take is given up, ms. */
  appendMsMax: number;
}

interface CursorRecord { key: string; value: Uint8Array | null }

const MIB = 1024 * 1024;

/** The topic `cursors` as this instance reads and writes it: one table per partition somebody here needs, one appender for all. */
export class SessionCursors {
  private readonly tables = new Map<number, CursorTable>();
  private readonly appender: Appender<CursorRecord>;

  constructor(private readonly options: SessionCursorsOptions) {
    this.appender = options.log.appender<CursorRecord>({
      topic: options.topic,
      // Not on the connection of the owners' own records: confirmations may be many, and verdicts must not wait for them.
      class: 'interactive',
      encode: (records) => records.map((record) => ({ ...record, entries: 1 })),
      queueBytesMax: 8 * MIB,
      batchBytesMax: 512 * 1024,
      batchEntriesMax: 2_000,
      deadlineMs: options.appendMsMax,
    });
  }

  /** Named sessions of streams in memory. */
  get size(): number {
    return [...this.tables.values()].reduce((sum, { fold }) => sum + fold.size, 0);
  }

  /** @returns the table of a partition, pinned until `release` */
  hold(partition: number): CursorTable {
    let table = this.tables.get(partition);
    if (table === undefined) this.tables.set(partition, (table = new CursorTable({ ...this.options, partition })));
    table.pins += 1;
    return table;
  }

  release(table: CursorTable): void {
    table.pins -= 1;
    table.idleSince = this.options.time.now();
  }

  /** @returns the offset after the record. @throws StreamError OVERLOADED, LOG_UNAVAILABLE */
  async writeAttached(partition: number, streamNo: string, session: string, connection: string): Promise<number> {
    return this.append(partition, sessionKey('attached', streamNo, session), encodeAttached({ connection }));
  }

  /** @returns the offset after the record. @throws StreamError OVERLOADED, LOG_UNAVAILABLE */
  async writeConfirmed(partition: number, streamNo: string, session: string, value: ConfirmedValue): Promise<number> {
    return this.append(partition, sessionKey('confirmed', streamNo, session), encodeConfirmed(value));
  }

  /** Nothing is left of the session in the log. @throws StreamError OVERLOADED, LOG_UNAVAILABLE */
  async bury(partition: number, streamNo: string, session: string): Promise<void> {
    await Promise.all([
      this.append(partition, sessionKey('attached', streamNo, session), null),
      this.append(partition, sessionKey('confirmed', streamNo, session), null),
    ]);
  }

  dropIdle(): void {
    const { time, idleMs } = this.options;
    for (const [partition, table] of this.tables) {
      if (table.pins > 0 || time.now() - table.idleSince < idleMs) continue;
      this.tables.delete(partition);
      table.close();
    }
  }

  flush(): Promise<void> {
    return this.appender.flush();
  }

  close(): void {
    for (const table of this.tables.values()) table.close();
    this.tables.clear();
  }

  private async append(partition: number, key: string, value: Uint8Array | null): Promise<number> {
    const { offset } = await this.appender.append(partition, { key, value }, key.length + (value?.byteLength ?? 0));
    return offset + 1;
  }
}
