import { Table } from '@rivulet/log';
import type { Appender, Log } from '@rivulet/log';
import { StreamError } from '@rivulet/protocol';
import type { Logger } from 'pino';
import { isNewerDesired, releasesOf } from './desired';
import type { Desired } from './desired';
import { sha256Of } from './package-file';
import { decodeRow, isStoreKey, keyOf } from './plugin-records';
import type { Manifest, Part, StoredConfig, StoreRow } from './plugin-records';

interface StoreParts { log: Log; topic: string; packageBytesMax: number; logger: Logger; now?: () => number }
interface Entry { key: string; value: Buffer | null }

/** Records of the topic stay well below what a broker takes in one. */
const PART_BYTES_MAX = 512_000;
const WRITE_MS_MAX = 10_000;
const READ_BACK_MS_MAX = 10_000;
/** Longer than an install takes from its first part to the record that refers to it. */
const UNUSED_MS_MAX = 60_000;

/** What is installed: packages, what is desired of each plugin, and configurations, as the log has them. Every host folds it alike. */
export class PluginStore {
  readonly ready: Promise<void>;
  private readonly table: Table<StoreRow>;
  private readonly appender: Appender<Entry>;
  /** Keys whose last record is not the one that counts: compaction would keep the wrong one. */
  private readonly overwritten = new Set<string>();
  private readonly unusedSince = new Map<string, number>();
  private lastOffset = -1;
  private waiters: { offset: number; resolve: () => void }[] = [];
  private readonly now: () => number;

  constructor(private readonly parts: StoreParts) {
    const { log, topic, packageBytesMax, logger, now = () => performance.now() } = parts;
    this.now = now;
    this.table = new Table<StoreRow>({
      log, topic, partitions: [0],
      decode: (key, value, { offset }) => {
        this.readTo(offset);
        return isStoreKey(key) ? decodeRow(key, value, offset) : null;
      },
      isNewer: (a, b) => this.counts(a, b),
      onUndecodable: ({ key, offset }, _, err) => logger.error({ key, offset, err }, 'a record of what is installed cannot be read; skipped'),
    });
    this.ready = this.table.ready;
    this.appender = log.appender<Entry>({
      topic, class: 'control', queueBytesMax: packageBytesMax * 2 + 1024 * 1024, batchBytesMax: 1024 * 1024, batchEntriesMax: 100, deadlineMs: WRITE_MS_MAX,
      encode: (entries) => entries.map(({ key, value }) => ({ key, value, entries: 1 })),
    });
  }

  get isReady(): boolean {
    return this.table.isReady;
  }

  /** After something has changed, with its key. */
  onChange(listener: (key: string) => void): void {
    this.table.onChange((key) => listener(key));
  }

  desired(plugin: string): Desired | undefined {
    const row = this.table.get(keyOf.desired(plugin));
    return row?.kind === 'desired' ? row : undefined;
  }

  allDesired(): Desired[] {
    return [...this.table.values()].filter((row) => row.kind === 'desired');
  }

  config(plugin: string): StoredConfig | undefined {
    const row = this.table.get(keyOf.config(plugin));
    return row?.kind === 'config' ? row : undefined;
  }

  manifest(digest: string): Manifest | undefined {
    const row = this.table.get(keyOf.manifest(digest));
    return row?.kind === 'package' ? row : undefined;
  }

  /** @throws Error when the log does not have all of it, or other bytes; StreamError LOG_UNAVAILABLE */
  async readPackage({ digest, parts }: Manifest): Promise<Buffer> {
    const contents: Buffer[] = [];
    for (let index = 0; index < parts; index += 1) {
      const key = keyOf.part(digest, index);
      const row = this.table.get(key) as Part | undefined;
      if (!row) throw new Error(`part ${index + 1} of ${parts} is not in the log`);
      const { records } = await this.parts.log.scan(this.parts.topic, 0, row.offset, { bytesMax: PART_BYTES_MAX * 2 });
      const record = records.find(({ offset }) => offset === row.offset);
      if (record?.key !== key || !record.value) throw new Error(`part ${index + 1} of ${parts} is not where the log had it`);
      contents.push(Buffer.from(record.value));
    }
    const tgz = Buffer.concat(contents);
    if (sha256Of(tgz) !== digest) throw new Error('the bytes in the log are not those that were installed');
    return tgz;
  }

  /** Durable when it returns; nothing refers to it yet. */
  async writePackage(tgz: Buffer, facts: Omit<Manifest, 'kind' | 'parts'>): Promise<void> {
    const parts = Math.ceil(tgz.length / PART_BYTES_MAX);
    await Promise.all(Array.from({ length: parts }, (_, index) =>
      this.append(keyOf.part(facts.digest, index), tgz.subarray(index * PART_BYTES_MAX, (index + 1) * PART_BYTES_MAX))));
    await this.append(keyOf.manifest(facts.digest), toBytes({ kind: 'package', parts, ...facts } satisfies Manifest));
  }

  /** @returns whether this is the record that counts; false: another one was first in the log. @throws StreamError LOG_UNAVAILABLE */
  async propose(next: Desired): Promise<boolean> {
    await this.readBack(await this.append(keyOf.desired(next.plugin), toBytes(next)));
    const now = this.desired(next.plugin);
    // Steps may have followed it already.
    return now?.of === next.of && now.step >= next.step;
  }

  async writeConfig(config: StoredConfig): Promise<void> {
    await this.readBack(await this.append(keyOf.config(config.plugin), toBytes(config)));
  }

  async removeConfig(plugin: string): Promise<void> {
    if (this.config(plugin)) await this.append(keyOf.config(plugin), null);
  }

  /** For one host, though more do no harm: what counts is made the last of its key, and what nobody refers to any more is removed. */
  async tidy(): Promise<void> {
    for (const key of [...this.overwritten]) {
      const row = this.table.get(key);
      if (row) await this.append(key, toBytes(row));
    }
    const used = new Set(this.allDesired().flatMap(releasesOf).map(({ digest }) => digest));
    const keys = [...this.table.entries()].filter(([, { kind }]) => kind === 'package' || kind === 'part').map(([key]) => key);
    for (const key of this.unusedSince.keys()) if (used.has(digestIn(key)) || !this.table.get(key)) this.unusedSince.delete(key);
    for (const key of keys) {
      if (used.has(digestIn(key))) continue;
      const since = this.unusedSince.get(key) ?? this.now();
      this.unusedSince.set(key, since);
      if (this.now() - since >= UNUSED_MS_MAX) await this.append(key, null);
    }
  }

  async close(): Promise<void> {
    await this.table.close();
    await this.appender.close();
  }

  private async append(key: string, value: Buffer | null): Promise<number> {
    return (await this.appender.append(0, { key, value }, (value?.length ?? 0) + key.length)).offset;
  }

  private counts(a: StoreRow, b: StoreRow): boolean {
    if (a.kind !== 'desired' || b.kind !== 'desired') return true;
    const key = keyOf.desired(a.plugin);
    const isNewer = isNewerDesired(a, b);
    // The one that counts, written again, is the last of its key once more.
    if (isNewer || a.id === b.id) this.overwritten.delete(key);
    else this.overwritten.add(key);
    return isNewer;
  }

  private readTo(offset: number): void {
    this.lastOffset = offset;
    if (this.waiters.length === 0) return;
    const due = this.waiters.filter((waiter) => waiter.offset <= offset);
    this.waiters = this.waiters.filter((waiter) => waiter.offset > offset);
    // The table takes the record once it is decoded.
    for (const { resolve } of due) setImmediate(resolve);
  }

  private readBack(offset: number): Promise<void> {
    if (this.lastOffset >= offset) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => {
        this.waiters = this.waiters.filter((waiter) => waiter !== mine);
        reject(new StreamError('LOG_UNAVAILABLE', { detail: 'It is written, and was not read back in time.', retryAfterMs: 1_000 }));
      }, READ_BACK_MS_MAX);
      const mine = { offset, resolve: () => { clearTimeout(late); resolve(); } };
      this.waiters.push(mine);
    });
  }
}

const toBytes = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));
const digestIn = (key: string): string => key.split('/')[1] ?? '';
