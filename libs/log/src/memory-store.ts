import { randomUUID } from 'node:crypto';
import { StreamError } from '@rivulet/protocol';
import type { JoinOptions, LogBatch, RecordToAppend, StoredRecord, TopicSpec } from './log';
import { assignSticky } from './sticky-assignment';

/** One partition: records in offset order, a start that retention moves, and whoever waits for the end to move. */
export class MemoryPartition {
  private records: StoredRecord[] = [];
  private readonly watchers = new Set<() => void>();
  private readonly keys = new Set<string>();
  start = 0;
  end = 0;
  bytes = 0;

  constructor(private readonly topic: string, private readonly partition: number, private readonly isCompacted: boolean) {}

  /** @returns offset of the first record */
  append(records: readonly RecordToAppend[], timestamp: number): number {
    const base = this.end;
    for (const { key, value, headers } of records) {
      // Copied: the caller owns its buffer, and a slice would keep the whole of it.
      const copy = value === null ? null : Buffer.from(value);
      const stored: StoredRecord = { key, value: copy, offset: this.end++, timestamp, ...(headers && { headers }) };
      this.records.push(stored);
      this.bytes += sizeOf(stored);
      if (this.isCompacted) this.keys.add(key);
    }
    if (this.isCompacted && this.records.length > 2 * this.keys.size + 1000) this.compact();
    for (const watcher of this.watchers) watcher();
    return base;
  }

  read(from: number, bytesMax: number): LogBatch {
    const records: StoredRecord[] = [];
    let bytes = 0;
    let nextOffset = Math.max(from, this.end);
    for (let index = this.indexOf(from); index < this.records.length; index += 1) {
      const record = this.records[index]!;
      if (records.length > 0 && bytes + sizeOf(record) > bytesMax) {
        nextOffset = record.offset;
        break;
      }
      records.push({ ...record });
      bytes += sizeOf(record);
    }
    return { topic: this.topic, partition: this.partition, records, nextOffset, highWatermark: this.end };
  }

  /** Removes what is below an offset, as retention or DeleteRecords does. */
  truncate(before: number): void {
    const index = this.indexOf(before);
    for (const record of this.records.slice(0, index)) this.bytes -= sizeOf(record);
    this.records = this.records.slice(index);
    this.start = Math.max(this.start, Math.min(before, this.end));
    for (const watcher of this.watchers) watcher();
  }

  watch(watcher: () => void): () => void {
    this.watchers.add(watcher);
    return () => this.watchers.delete(watcher);
  }

  /**
   * Keeps the newest record of each key and no tombstone but the last record: offsets stay, so holes appear as in Kafka.
   * @param before only records below this offset are looked at, as a broker leaves what is younger than its compaction lag alone
   * @param tombstonesBefore tombstones from here on stay
   */
  compact(before = this.end, tombstonesBefore = before): void {
    const below = this.records.slice(0, this.indexOf(before));
    const newest = new Map<string, number>(below.map((record) => [record.key, record.offset]));
    const isKept = (record: StoredRecord) => newest.get(record.key) === record.offset
      && (record.value !== null || record.offset >= tombstonesBefore);
    const isYoung = (record: StoredRecord) => record.offset >= before || record.offset === this.end - 1;
    this.records = this.records.filter((record) => isYoung(record) || isKept(record));
    this.bytes = this.records.reduce((sum, record) => sum + sizeOf(record), 0);
    this.keys.clear();
    for (const record of this.records) this.keys.add(record.key);
  }

  /** The same records, going their own way from here on. */
  fork(): MemoryPartition {
    const fork = new MemoryPartition(this.topic, this.partition, this.isCompacted);
    fork.records = this.records.slice();
    fork.start = this.start;
    fork.end = this.end;
    fork.bytes = this.bytes;
    for (const key of this.keys) fork.keys.add(key);
    return fork;
  }

  /** Index of the first record at or above an offset. */
  private indexOf(offset: number): number {
    let low = 0;
    let high = this.records.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.records[middle]!.offset < offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

interface Member { id: string; join: JoinOptions; partitions: number[] }

/** What several clients of one process share: topics and groups. */
export class MemoryStore {
  readonly clusterId = `memory-${randomUUID()}`;
  private readonly topics = new Map<string, MemoryPartition[]>();
  private readonly groups = new Map<string, Member[]>();

  /** @param bytesMax bound over all topics; the oldest records of the largest uncompacted partition go first */
  constructor(readonly now: () => number, private readonly bytesMax: number) {}

  createTopic(spec: TopicSpec): void {
    if (this.topics.has(spec.topic)) return;
    const isCompacted = (spec.settings['cleanup.policy'] ?? 'delete').includes('compact');
    this.topics.set(spec.topic, Array.from({ length: spec.partitions }, (_, index) => new MemoryPartition(spec.topic, index, isCompacted)));
  }

  partitions(topic: string): MemoryPartition[] {
    const partitions = this.topics.get(topic);
    if (!partitions) throw new StreamError('LOG_UNAVAILABLE', { detail: `Topic ${topic} does not exist.` });
    return partitions;
  }

  partition(topic: string, partition: number): MemoryPartition {
    const found = this.partitions(topic)[partition];
    if (!found) throw new StreamError('LOG_UNAVAILABLE', { detail: `Topic ${topic} has no partition ${partition}.` });
    return found;
  }

  append(topic: string, partition: number, records: readonly RecordToAppend[]): number {
    const base = this.partition(topic, partition).append(records, this.now());
    this.enforceBytesMax();
    return base;
  }

  join(join: JoinOptions): Member {
    const member: Member = { id: randomUUID(), join, partitions: [] };
    this.groups.set(join.groupId, [...(this.groups.get(join.groupId) ?? []), member]);
    this.rebalance(join.groupId);
    return member;
  }

  leave(member: Member): void {
    const rest = (this.groups.get(member.join.groupId) ?? []).filter((other) => other !== member);
    this.groups.set(member.join.groupId, rest);
    this.rebalance(member.join.groupId);
  }

  private rebalance(groupId: string): void {
    const members = this.groups.get(groupId) ?? [];
    const topic = members[0]?.join.topic;
    if (topic === undefined) return;
    const all = this.partitions(topic).map((_, index) => index);
    const assigned = assignSticky(all, members.map((member) => ({ id: member.id, had: member.partitions, round: 0 })));
    const moves = members.map((member) => {
      const now = assigned.get(member.id)!;
      const before = member.partitions;
      member.partitions = now;
      return { member, revoked: before.filter((p) => !now.includes(p)), added: now.filter((p) => !before.includes(p)) };
    });
    // All give up before any takes over.
    for (const { member, revoked } of moves) if (revoked.length > 0) member.join.onRevoked(revoked);
    for (const { member, added } of moves) if (added.length > 0) member.join.onAssigned(added);
  }

  private enforceBytesMax(): void {
    const all = [...this.topics.values()].flat();
    if (all.reduce((sum, partition) => sum + partition.bytes, 0) <= this.bytesMax) return;
    const largest = all.reduce((a, b) => (b.bytes > a.bytes ? b : a));
    largest.truncate(largest.start + Math.ceil((largest.end - largest.start) / 4));
  }
}

/** Object overhead included, so that many tiny records count too. */
const sizeOf = (record: StoredRecord): number => 96 + record.key.length + (record.value?.byteLength ?? 0);
