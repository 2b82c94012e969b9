import type { TopicNames } from '@rivulet/protocol';
import type { TopicSpec } from './log';

export interface TopicCounts {
  /** Partitions of each class; partition numbers of `bulk` follow those of `interactive`. */
  interactive: number;
  bulk: number;
  replication: number;
  minInsync: number;
}

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;
const MIB = 1024 * 1024;
/** The most plugin hosts that share requests out. */
const REQUEST_PARTITIONS = 12;

/**
 * Topics with every setting that affects order, loss, memory or restore time made explicit, so that no broker default decides it.
 * fragments, lifecycle and cursors are co-partitioned: a stream has the same partition number in all three.
 */
export function topicSpecs(names: TopicNames, { interactive, bulk, replication, minInsync }: TopicCounts): TopicSpec[] {
  const partitions = interactive + bulk;
  const common = {
    // An acknowledgement means so many replicas have it [APPEND-1].
    'min.insync.replicas': String(minInsync),
    // A replica that is behind never becomes leader: acknowledged records would vanish.
    'unclean.leader.election.enable': 'false',
    // The judge measures time by the broker's clock only [JUDGE-3].
    'message.timestamp.type': 'LogAppendTime',
    // What the producer compressed stays as it is: the broker spends nothing on it.
    'compression.type': 'producer',
    // One record: a fragment of 256 KiB, or a pack, or a lifecycle value with its checkpoint; with room.
    'max.message.bytes': String(2 * MIB),
  };
  const compacted = {
    // A tombstone stays long enough for every table to see it.
    'delete.retention.ms': String(DAY_MS),
    // Whoever is reading the newest values meets each of them for ten minutes before compaction removes any.
    'min.compaction.lag.ms': String(10 * MINUTE_MS),
    'max.compaction.lag.ms': String(DAY_MS),
    // The active segment is never compacted: small ones keep what a restore has to read bounded [KAFKA-18].
    'segment.bytes': String(16 * MIB),
    'segment.ms': String(10 * MINUTE_MS),
    'min.cleanable.dirty.ratio': '0.1',
  };
  const weekly = { 'retention.ms': String(7 * DAY_MS), 'retention.bytes': '-1' };
  return [
    {
      topic: names.fragments,
      partitions,
      replication,
      // Segments of a day at most, so that retention removes by the day and not by the week.
      settings: { ...common, 'cleanup.policy': 'delete', ...weekly, 'segment.bytes': String(256 * MIB), 'segment.ms': String(DAY_MS) },
    },
    { topic: names.lifecycle, partitions, replication, settings: { ...common, 'cleanup.policy': 'compact', ...compacted, 'retention.ms': '-1' } },
    { topic: names.cursors, partitions, replication, settings: { ...common, 'cleanup.policy': 'compact,delete', ...compacted, ...weekly } },
    {
      topic: names.deadletters,
      partitions: 1,
      replication,
      settings: { ...common, 'cleanup.policy': 'delete', ...weekly, 'segment.bytes': String(64 * MIB), 'segment.ms': String(DAY_MS) },
    },
    // A request leaves a tombstone when its stream is final: what a host reads at the start is what is not answered yet.
    {
      topic: names.requests, partitions: REQUEST_PARTITIONS, replication,
      settings: { ...common, 'cleanup.policy': 'compact,delete', ...compacted, ...weekly },
    },
    { topic: names.plugins, partitions: 1, replication, settings: { ...common, 'cleanup.policy': 'compact', ...compacted, 'retention.ms': '-1' } },
  ];
}
