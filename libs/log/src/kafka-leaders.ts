export interface PartitionLeader {
  /** -1 between two leaders. */
  nodeId: number;
  /** Goes up by one with each leader; -1 from a cluster that does not tell. */
  epoch: number;
}
interface Known extends PartitionLeader { contradictedAt: number | null }

/** A broker that woke from a hang learns within seconds what it missed. Who still contradicts after this speaks of a topic made anew. */
const STALE_MS_MAX = 30_000;

/**
 * Who leads which partition, as far as any client of this process has learned. A broker that wakes from a hang names the leaders of
 * before, itself among them, and answers as one: with an end of the log that may lie before what was acknowledged meanwhile. So an older
 * epoch is not believed, and the newest is named in every request that reads: a leader of before refuses it [KAFKA-27].
 */
export class KafkaLeaders {
  private readonly topics = new Map<string, Known[]>();

  has(topic: string): boolean {
    return this.topics.has(topic);
  }

  partitions(topic: string): number {
    return this.topics.get(topic)?.length ?? 0;
  }

  of(topic: string, partition: number): PartitionLeader {
    return this.topics.get(topic)?.[partition] ?? { nodeId: -1, epoch: -1 };
  }

  /** @param told of all partitions of the topic, by one broker */
  learn(topic: string, told: readonly PartitionLeader[]): void {
    const now = performance.now();
    const known = this.topics.get(topic) ?? [];
    this.topics.set(topic, told.map((leader, partition) => newerOf(known[partition], leader, now)));
  }
}

function newerOf(known: Known | undefined, told: PartitionLeader, now: number): Known {
  if (known === undefined || told.epoch >= known.epoch) return { ...told, contradictedAt: null };
  known.contradictedAt ??= now;
  return now - known.contradictedAt < STALE_MS_MAX ? known : { ...told, contradictedAt: null };
}
