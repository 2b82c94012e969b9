import { StreamError } from '@rivulet/protocol';
import type { TopicNames } from '@rivulet/protocol';
import type { RecordToAppend, StoredRecord } from '@rivulet/log';
import { MemoryPartition } from '../../libs/log/src/memory-store';
import type { Random } from './random';
import { SimProcess } from './virtual-loop';
import type { VirtualLoop } from './virtual-loop';

/** What is wrong on the way to and from the broker; chances are per request. */
export interface BrokerFaults {
  /** A send is written and its answer lost: it comes again. */
  lostAnswer: number;
  /** A send never arrives. */
  lostRequest: number;
  /** A send is under way for long. */
  slowSend: number;
  slowSendMsMax: number;
  /** A request, or an answer, takes up to so long, ms. */
  networkMsMax: number;
}

export const NO_FAULTS: Readonly<BrokerFaults> = { lostAnswer: 0, lostRequest: 0, slowSend: 0, slowSendMsMax: 0, networkMsMax: 2 };

export type AppendListener = (topic: string, partition: number, records: StoredRecord[], from: string) => void;

/** The Kafka of the simulation: partitions in memory, a clock of its own, and its troubles. */
export class SimBroker {
  readonly process = new SimProcess('broker');
  readonly clusterId = 'simulated';
  faults: BrokerFaults = { ...NO_FAULTS };
  isAway = false;
  /** Records of a partition that are durable, but not read yet by whoever lags: when each was appended, by offset. */
  private readonly appendedAt = new Map<MemoryPartition, number[]>();
  private readonly topics = new Map<string, MemoryPartition[]>();
  private readonly listeners: AppendListener[] = [];
  /** After a change of leader: what is above is there, but cannot be read yet, also by those who had read it before. */
  private readonly hiddenFrom = new Map<MemoryPartition, number>();

  constructor(readonly loop: VirtualLoop, readonly random: Random, readonly names: TopicNames, readonly partitions: number) {
    const make = (topic: string, isCompacted: boolean, count = partitions): void => {
      this.topics.set(topic, Array.from({ length: count }, (_, index) => new MemoryPartition(topic, index, isCompacted)));
    };
    make(names.fragments, false);
    make(names.lifecycle, true);
    make(names.deadletters, false, 1);
    for (const partition of [...this.topics.values()].flat()) this.appendedAt.set(partition, []);
  }

  onAppend(listener: AppendListener): void {
    this.listeners.push(listener);
  }

  partition(topic: string, partition: number): MemoryPartition {
    const found = this.topics.get(topic)?.[partition];
    if (found === undefined) throw new StreamError('LOG_UNAVAILABLE', { detail: `no ${topic}/${partition}` });
    return found;
  }

  append(topic: string, partition: number, records: readonly RecordToAppend[], from: string): number {
    const place = this.partition(topic, partition);
    const timestamp = this.loop.wall(this.process);
    const base = place.append(records, timestamp);
    const times = this.appendedAt.get(place)!;
    for (let added = 0; added < records.length; added += 1) times.push(this.loop.now);
    const stored = records.map(({ key, value }, index) => (
      { key, value: value === null ? null : Buffer.from(value), offset: base + index, timestamp }
    ));
    for (const listener of this.listeners) listener(topic, partition, stored, from);
    return base;
  }

  /** The end of a partition as it was so long ago: what a follower broker shows, or a fetch that was under way. */
  endBefore(topic: string, partition: number, ms: number): number {
    const place = this.partition(topic, partition);
    const times = this.appendedAt.get(place)!;
    let end = Math.min(place.end, this.hiddenFrom.get(place) ?? Infinity);
    if (ms <= 0) return end;
    while (end > place.start && times[end - 1]! > this.loop.now - ms) end -= 1;
    return end;
  }

  /** Another broker leads the partition, and for a while it shows less than the last one did. */
  changeLeader(topic: string, partition: number, records: number, ms: number): void {
    const place = this.partition(topic, partition);
    this.hiddenFrom.set(place, Math.max(place.start, place.end - records));
    this.loop.after(this.process, ms, () => this.hiddenFrom.delete(place));
  }

  /** Compacts lifecycle, up to what was written before the compaction lag. */
  compact(partition: number, lagMs: number, tombstoneLagMs: number): void {
    const { lifecycle } = this.names;
    const before = this.endBefore(lifecycle, partition, lagMs);
    this.partition(lifecycle, partition).compact(before, this.endBefore(lifecycle, partition, tombstoneLagMs));
  }

  /** @returns a broker with the same records, where nothing is wrong and what is written goes its own way */
  fork(): SimBroker {
    const fork = new SimBroker(this.loop, this.random, this.names, this.partitions);
    for (const [topic, partitions] of this.topics) fork.topics.set(topic, partitions.map((partition) => partition.fork()));
    fork.appendedAt.clear();
    for (const partition of [...fork.topics.values()].flat()) fork.appendedAt.set(partition, Array<number>(partition.end).fill(0));
    return fork;
  }
}
