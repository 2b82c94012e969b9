import { Table } from '@rivulet/log';
import type { Appender, Log } from '@rivulet/log';
import type { Logger } from 'pino';

interface Entry { streamNo: string; name: string; outcome: string | null }

/** In the key of a mark between the streamNo and the name of what was done; requests have only the streamNo. */
export const MARK = '#';
const DEADLINE_MS = 10_000;
const NONE: ReadonlySet<string> = new Set();

/**
 * What has been done for bound streams: records of `rivulet.requests` beside the requests, which every host folds. Written after the work,
 * so that a host that dies in between leaves it to the next; removed with the stream.
 */
export class DoneMarks {
  private readonly table: Table<true>;
  private readonly appender: Appender<Entry>;
  private readonly names = new Map<string, Set<string>>();

  constructor(log: Log, topic: string, private readonly partitionOf: (streamNo: string) => number, private readonly logger: Logger) {
    // What came of it is for people who read the log: that the mark is there is all that counts.
    this.table = new Table<true>({ log, topic, isNewer: () => false, decode: (key) => (key.includes(MARK) ? true : null) });
    this.table.onChange((key, value) => {
      const [streamNo = '', name = ''] = key.split(MARK);
      if (value) this.add(streamNo, name);
      else this.remove(streamNo, name);
    });
    this.appender = log.appender<Entry>({
      topic, class: 'control', queueBytesMax: 4 * 1024 * 1024, batchBytesMax: 512 * 1024, batchEntriesMax: 500, deadlineMs: DEADLINE_MS,
      encode: (entries) => entries.map(({ streamNo, name, outcome }) => ({
        key: `${streamNo}${MARK}${name}`, value: outcome === null ? null : Buffer.from(JSON.stringify({ outcome, at: Date.now() })), entries: 1,
      })),
    });
  }

  get ready(): Promise<void> {
    return this.table.ready;
  }

  /** @returns names of what was done for a stream */
  of(streamNo: string): ReadonlySet<string> {
    return this.names.get(streamNo) ?? NONE;
  }

  /** After a mark has come, of this host or another. */
  onChange(listener: (streamNo: string, name: string) => void): void {
    this.table.onChange((key, value) => {
      const [streamNo = '', name = ''] = key.split(MARK);
      if (value) listener(streamNo, name);
    });
  }

  /** Durable when it resolves. */
  async set(streamNo: string, name: string, outcome: string): Promise<void> {
    await this.append({ streamNo, name, outcome });
    // Until it has been read back.
    this.add(streamNo, name);
  }

  /** With the stream. Should it not be written, its topic forgets the marks after a week. */
  clear(streamNo: string): void {
    for (const name of this.of(streamNo)) {
      this.append({ streamNo, name, outcome: null }).catch((err: unknown) => this.logger.warn({ streamNo, err }, 'the mark of a removed stream could not be removed'));
    }
  }

  async close(): Promise<void> {
    await this.table.close();
    await this.appender.flush();
    await this.appender.close();
  }

  private append(entry: Entry): Promise<unknown> {
    const { streamNo, name, outcome } = entry;
    return this.appender.append(this.partitionOf(streamNo), entry, streamNo.length + name.length + (outcome?.length ?? 0) + 64);
  }

  private add(streamNo: string, name: string): void {
    const names = this.names.get(streamNo);
    if (names) names.add(name);
    else this.names.set(streamNo, new Set([name]));
  }

  private remove(streamNo: string, name: string): void {
    const names = this.names.get(streamNo);
    names?.delete(name);
    if (names?.size === 0) this.names.delete(streamNo);
  }
}
