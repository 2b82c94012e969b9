import { CATCH_UP_MS } from '../../apps/fanout/src/catch-up';
import type { OwnerSettings } from '../../apps/fanout/src/owner-settings';
import type { OpenRecord } from '@rivulet/protocol';
import type { Random } from './random';
import type { BrokerFaults } from './sim-broker';
import type { IngestOptions } from './sim-ingest';
import { STREAM_NOS } from './sim-instance';
import type { InstanceOptions } from './sim-instance';
import type { StreamPlan } from './sim-producer';
import type { SessionOptions } from './sim-session';

/** What a seed makes of the world before anything happens. */
export interface WorldPlan {
  partitions: number;
  instances: number;
  ingests: number;
  groupTimeoutMs: number;
  faults: BrokerFaults;
  streams: StreamPlan[];
  sessions: SessionOptions[];
  /** Compaction leaves alone what is younger, ms, and tombstones what is younger still. */
  compactionLagMs: number;
  tombstoneLagMs: number;
  instance(random: Random): InstanceOptions;
  ingest(random: Random): IngestOptions;
}

const EPOCH_MS = 1_800_000_000_000;

export function planWorld(random: Random): WorldPlan {
  const partitions = random.integer(1, 2);
  const streams = Array.from({ length: random.integer(2, 4) }, (_, index) => planStream(random, index, partitions));
  const isRough = random.chance(0.6);
  return {
    partitions,
    instances: random.integer(2, 3),
    ingests: random.integer(1, 2),
    groupTimeoutMs: random.pick([1_200, 2_000, 3_000]),
    faults: {
      lostAnswer: isRough ? random.between(0, 0.1) : 0,
      lostRequest: isRough ? random.between(0, 0.1) : 0,
      slowSend: isRough ? random.between(0, 0.05) : 0,
      slowSendMsMax: 2_500,
      networkMsMax: random.pick([1, 5, 30]),
    },
    streams,
    sessions: Array.from({ length: random.integer(2, 5) }, (_, index) => planSession(random, index, streams)),
    compactionLagMs: random.pick([12_000, 20_000]),
    tombstoneLagMs: 25_000,
    instance: planInstance,
    ingest: planIngest,
  };
}

function planInstance(random: Random): InstanceOptions {
  const owner: OwnerSettings = {
    replayBytesMax: random.pick([400, 2_000, 20_000]),
    tickMs: 250,
    proofMs: 1_000,
    pauseMsMax: 3_000,
    sweepMs: 1_000,
    checkpointAgeMsMax: random.pick([2_000, 60_000]),
    ownerMsMax: random.pick([1_000, 5_000]),
    followIdleMs: random.pick([500, 60_000]),
    appendMsMax: random.pick([1_000, 4_000]),
  };
  return {
    log: { lagMs: random.pick([0, 0, 0, 20, 400]), batchBytesMax: random.pick([300, 2_000, 1_000_000]) },
    owner,
    viewBytesMax: random.pick([1_500, 4_000, 16_000, 1_000_000]),
    frameBytesMax: random.pick([40, 300, 4_000]),
    coldScansMax: random.integer(1, 3),
    catchUpMs: random.pick([0, CATCH_UP_MS]),
    wallOffsetMs: random.pick([0, 0, -5_000, 5_000]),
  };
}

function planIngest(random: Random): IngestOptions {
  return {
    log: { lagMs: 0, batchBytesMax: 1_000_000 },
    deadlineMs: random.pick([800, 3_000]),
    batchEntriesMax: random.pick([1, 4, 100]),
    queueBytesMax: random.pick([1_500, 100_000]),
  };
}

function planStream(random: Random, index: number, partitions: number): StreamPlan {
  const partition = random.integer(0, partitions - 1);
  const isNumbered = random.chance(0.85);
  const open: OpenRecord = {
    kind: 'open', channel: random.pick(['', 'chat']), contentType: 'text/plain; charset=utf-8', merge: random.pick(['text', 'bytes']),
    class: partition === 0 ? 'interactive' : 'bulk', leaseMs: random.pick([1_500, 10_000]), judgeVersion: 1, metadata: {},
    ttlMs: random.chance(0.1) ? 8_000 : 86_400_000,
    retentionMs: random.chance(0.15) ? 3_000 : 86_400_000,
    limits: {
      heldFragmentsMax: random.pick([4, 16]), heldBytesMax: 1 << 20, gapMsMax: random.pick([3_000, 30_000]),
      attemptsMax: random.pick([3, 16]), fragmentBytesMax: 1 << 18, streamBytesMax: 0,
    },
  };
  return {
    streamNo: STREAM_NOS.issue({ time: EPOCH_MS + index, partition, random: random.bytes(5) }),
    partition, open, isNumbered,
    fragments: random.integer(5, 60),
    paceMs: random.pick([10, 60, 200]),
    inFlightMax: random.integer(1, 3),
    packMax: random.pick([1, 3, 8]),
    ending: random.pick(['end', 'end', 'end-early', 'end-open', 'abort', 'leave']),
    hasRun: random.chance(0.4),
    isReckless: random.chance(0.08),
  };
}

function planSession(random: Random, index: number, streams: readonly StreamPlan[]): SessionOptions {
  const isSlow = random.chance(0.25);
  return {
    name: `${isSlow ? 'slow' : 'reader'}${index}`,
    streamNo: random.pick(streams).streamNo,
    readMs: isSlow ? random.pick([100, 500]) : 1,
    unreadMax: random.pick([1, 3, 20]),
    intervalMs: random.pick([0, 0, 0, 150]),
    window: random.pick([0, 0, 0, 1, 5]),
  };
}
