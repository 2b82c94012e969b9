import { createHmac } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { decodeLifecycle, decodeRecord, encodeRecord, isNewer, issueStreamNo, judge, OWNER_KEY, StreamError, topicNames } from '@rivulet/protocol';
import type { LifecycleValue, LogRecord, StreamState, TopicNames } from '@rivulet/protocol';
import { MemoryLog, topicSpecs } from '@rivulet/log';
import type { Appender, StoredRecord, Tail } from '@rivulet/log';
import { ChannelIndex } from '../../apps/fanout/src/channel-index';
import { ClusterIdentity } from '../../apps/fanout/src/cluster-identity';
import { controlAppender } from '../../apps/fanout/src/control-appender';
import { DeadLetters } from '../../apps/fanout/src/dead-letters';
import { Followers } from '../../apps/fanout/src/followers';
import { lifecycleAppender } from '../../apps/fanout/src/lifecycle-topic';
import type { OpenStream } from '../../apps/fanout/src/open-stream';
import type { OwnerContext } from '../../apps/fanout/src/owner-context';
import { OWNER_SETTINGS } from '../../apps/fanout/src/owner-settings';
import type { OwnerSettings } from '../../apps/fanout/src/owner-settings';
import { Owners } from '../../apps/fanout/src/owners';
import type { Replica } from '../../apps/fanout/src/replica';
import { Replicas } from '../../apps/fanout/src/replicas';
import { ViewCache } from '../../apps/fanout/src/view-cache';
import { VirtualTime } from './virtual-time';

export const PARTITION = 0;
const PRODUCER = { queueBytesMax: 1e9, batchBytesMax: 512 * 1024, batchEntriesMax: 1000, deadlineMs: 5_000 };
const MAC = (bytes: Uint8Array): Buffer => createHmac('sha256', 'test').update(bytes).digest();

/** Counters of one owner. */
export interface Counts {
  accepted: number;
  duplicates: number;
  refused: Record<string, number>;
  deadLetters: Record<string, number>;
  endedAtTakeover: Record<string, number>;
  flushed: number;
}

/** One fanout instance without its network: owners that read the log and write lifecycle. */
export interface Instance {
  name: string;
  log: MemoryLog;
  owners: Owners;
  /** What its readers see: owned here or followed. */
  replicas: Replicas;
  channels: ChannelIndex;
  counts: Counts;
  /** A stream from the owner here, never from a follower. @throws StreamError NOT_OWNER */
  open(streamNo: string): Promise<OpenStream>;
  release(stream: OpenStream): void;
  /** The group gives it the partition. */
  take(): Promise<void>;
  /** The group takes it away. */
  revoke(): void;
  /** Offset of the next record it will fold. */
  next(): number;
  /** As kill -9: nothing is flushed, nothing is said. What is on the wire may still land. */
  crash(): Promise<void>;
}

/** Owners of one partition on a shared memory log, under a clock the test moves. */
export class OwnerCluster {
  readonly time = new VirtualTime();
  readonly log = new MemoryLog({ now: () => this.time.wall() });
  readonly topics: TopicNames = topicNames('test');
  readonly logged: { facts: object; text: string }[] = [];
  private readonly producer: Appender<{ key: string; value: Uint8Array | null }>;
  private readonly lifecycle: Appender<{ key: string; value: Uint8Array | null }>;
  private readonly instances: Instance[] = [];
  private issued = 0;

  private constructor() {
    const encode = (entries: { key: string; value: Uint8Array | null }[]) => entries.map((entry) => ({ ...entry, entries: 1 }));
    this.producer = this.log.appender({ ...PRODUCER, topic: this.topics.fragments, class: 'interactive', encode });
    this.lifecycle = this.log.appender({ ...PRODUCER, topic: this.topics.lifecycle, class: 'control', encode });
  }

  static async start(): Promise<OwnerCluster> {
    const cluster = new OwnerCluster();
    await cluster.log.createTopics(topicSpecs(cluster.topics, { interactive: 1, bulk: 1, replication: 1, minInsync: 1 }));
    return cluster;
  }

  async stop(): Promise<void> {
    for (const instance of [...this.instances]) await instance.crash();
    await this.log.close();
  }

  streamNo(partition = PARTITION): string {
    this.issued += 1;
    const random = Buffer.alloc(5);
    random.writeUInt32BE(this.issued);
    return issueStreamNo({ time: this.time.wall() + this.issued, partition, random }, MAC);
  }

  /** @returns offset of the last of the records, once durable */
  async write(streamNo: string, ...records: LogRecord[]): Promise<number> {
    const appended = records.map((record) => this.writeBytes(streamNo, encodeRecord(record)));
    return (await Promise.all(appended)).at(-1)!;
  }

  async writeBytes(key: string, value: Uint8Array | null): Promise<number> {
    return (await this.producer.append(PARTITION, { key, value }, value?.byteLength ?? 0)).offset;
  }

  async writeLifecycle(key: string, value: Uint8Array | null): Promise<number> {
    return (await this.lifecycle.append(PARTITION, { key, value }, value?.byteLength ?? 0)).offset;
  }

  /** @returns an instance that owns the partition and has caught up */
  async own(name: string, settings: Partial<OwnerSettings> = {}): Promise<Instance> {
    const instance = this.join(name, settings);
    await instance.take();
    return instance;
  }

  /** @returns an instance that owns nothing yet; it has readers, perhaps */
  join(name: string, settings: Partial<OwnerSettings> = {}): Instance {
    const log = new MemoryLog({}, this.log);
    const counts: Counts = { accepted: 0, duplicates: 0, refused: {}, deadLetters: {}, endedAtTakeover: {}, flushed: 0 };
    const context = this.context(name, log, counts, settings);
    const owners = new Owners(context);
    const followers = new Followers(context);
    const { channels } = context;
    const replicas = new Replicas({ owners, followers, channels, partitionsOf: () => [PARTITION], time: this.time });
    const owned = (): Replica => {
      const replica = owners.find(PARTITION)?.replica;
      if (replica === undefined) throw new StreamError('NOT_OWNER');
      return replica;
    };
    let tail: Tail | null = null;
    const take = async (): Promise<void> => {
      const from = await owners.assigned(PARTITION);
      tail = log.tail(this.topics.fragments, PARTITION, from, { onBatch: (batch) => owners.fold(batch), onJump: () => undefined });
    };
    const revoke = (): void => {
      void tail?.close();
      owners.revoked(PARTITION);
    };
    const restart = (): void => {
      revoke();
      void take();
    };
    const instance: Instance = {
      name, log, owners, replicas, channels, counts,
      open: async (streamNo) => owned().open(streamNo),
      release: (stream) => owners.find(PARTITION)?.replica.release(stream),
      take, revoke,
      next: () => tail?.nextOffset ?? 0,
      crash: async () => {
        this.instances.splice(this.instances.indexOf(instance), 1);
        await tail?.close();
        owners.stop();
        followers.stop();
        await log.close();
      },
    };
    this.instances.push(instance);
    owners.start({
      isJoined: () => true, assigned: () => [PARTITION], heartbeatAt: () => this.time.now(), restart, leave: async () => undefined,
    });
    return instance;
  }

  /** All that is written is folded, and all that is to be published is. */
  async settled(instance: Instance): Promise<void> {
    await instance.owners.find(PARTITION)!.replica.caughtUp();
    // Flushes and what they cause take turns of the loop, and the memory log answers within one.
    for (let turn = 0; turn < 30; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  }

  /** Lets time pass in steps, with all that happens in it. */
  async pass(ms: number, stepMs = 100): Promise<void> {
    for (let passed = 0; passed < ms; passed += stepMs) {
      this.time.advance(Math.min(stepMs, ms - passed));
      for (let turn = 0; turn < 12; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    }
  }

  async records(topic: string): Promise<StoredRecord[]> {
    const records: StoredRecord[] = [];
    let { start: from } = await this.log.bounds(topic, PARTITION);
    const { end } = await this.log.bounds(topic, PARTITION);
    while (from < end) {
      const batch = await this.log.scan(topic, PARTITION, from);
      records.push(...batch.records);
      from = batch.nextOffset;
    }
    return records;
  }

  /** What every reader of lifecycle believes: the maximum version, a final status sticky [OWN-2]. */
  async table(): Promise<Map<string, LifecycleValue>> {
    const table = new Map<string, LifecycleValue>();
    for (const { key, value } of await this.records(this.topics.lifecycle)) {
      if (key === OWNER_KEY) continue;
      if (value === null) {
        table.delete(key);
        continue;
      }
      const next = decodeLifecycle(value);
      const known = table.get(key);
      const isSticky = known !== undefined && known.final !== null && next.final === null;
      if (known === undefined || (isNewer(next.version, known.version) && !isSticky)) table.set(key, next);
    }
    return table;
  }

  /** The fold of the whole log from its beginning: what is true, whoever asks. */
  async wholeFold(): Promise<{ states: Map<string, StreamState>; contents: Map<string, string> }> {
    const states = new Map<string, StreamState>();
    const contents = new Map<string, string>();
    for (const { key, value, offset, timestamp } of await this.records(this.topics.fragments)) {
      const record = value === null ? null : readable(value);
      if (record === null) continue;
      const keys = record.kind === 'beat' ? record.streams.map(({ no }) => no) : [key];
      for (const streamNo of keys) {
        const judged = judge(states.get(streamNo), streamNo, record, offset, timestamp, crc32);
        if (judged.state !== undefined) states.set(streamNo, judged.state);
        for (const effect of judged.effects) {
          if (effect.kind === 'attempt' && effect.keep === 'none') contents.set(streamNo, '');
          if (effect.kind === 'fragments') contents.set(streamNo, (contents.get(streamNo) ?? '') + Buffer.concat(effect.payloads).toString());
        }
      }
    }
    return { states, contents };
  }

  private context(name: string, log: MemoryLog, counts: Counts, settings: Partial<OwnerSettings>): OwnerContext {
    const add = (row: Record<string, number>, key: string, count: number): void => void (row[key] = (row[key] ?? 0) + count);
    const metrics = {
      accepted: (count: number) => void (counts.accepted += count),
      duplicates: (count: number) => void (counts.duplicates += count),
      refused: (code: string, count: number) => add(counts.refused, code, count),
      deadLetter: (reason: string) => add(counts.deadLetters, reason, 1),
      flushed: (values: number) => void (counts.flushed += values),
      flushFailed: () => undefined,
      restored: () => undefined,
      endedAtTakeover: (code: string) => add(counts.endedAtTakeover, code, 1),
    };
    const put = (facts: object, text: string): void => void this.logged.push({ facts, text });
    const logger = { debug: () => undefined, info: put, warn: put, error: put };
    const views = new ViewCache({ bytesMax: 64 * 1024 * 1024 });
    return {
      log, topics: this.topics, instance: name, address: `http://${name}`, settings: { ...OWNER_SETTINGS, ...settings }, time: this.time,
      crc32, logger, metrics, channels: new ChannelIndex(), cluster: new ClusterIdentity(log),
      deadLetters: new DeadLetters(log, this.topics.deadletters, metrics, logger),
      lifecycle: lifecycleAppender(log, this.topics.lifecycle, 5_000),
      proposals: controlAppender(log, this.topics.fragments, 5_000),
      makeView: (streamNo) => views.create(streamNo),
    };
  }
}

function readable(value: Buffer): LogRecord | null {
  try {
    return decodeRecord(value);
  } catch {
    return null; // a poison record is nobody's content
  }
}
