/** What is done to the system. Every fault heals what it broke before it returns, also when it is told to hurry. */
import { Kafka, logLevel } from 'kafkajs';
import type { FaultProxy } from '../../tools/fault-proxy.cjs';
import type { Cluster } from '../support/kafka-cluster';
import { eventually } from '../support/eventually';
import type { System } from '../support/system';
import type { Random } from './random';

export interface World {
  system: System;
  cluster: Cluster;
  /** In front of each broker, for the services. */
  brokerGates: FaultProxy[];
  /** In front of the HTTP proxy. */
  sessionsGate: FaultProxy;
  producersGate: FaultProxy;
}

export interface Fault {
  /** e.g. `kill -9 of fanout-2` */
  what: string;
  run(hold: (ms: number) => Promise<void>): Promise<void>;
}

/** The session time-out of group members and brokers is 3 s: shorter, nobody is missed; longer, somebody takes over meanwhile. */
const SHORT_MS = [300, 2000] as const;
const LONG_MS = [3500, 6000] as const;
const DELAY_MS = [50, 300] as const;
const IN_SYNC_MS_MAX = 150_000;

type App = 'fanout' | 'ingest' | 'allocator';
type MakeFault = (world: World, random: Random) => Fault;

const between = (random: Random, [min, max]: readonly [number, number]): number => random.integer(min, max);

function chooseInstance(world: World, app: App, random: Random): { index: number; name: string } {
  const index = random.integer(0, world.system.instances[app].length - 1);
  return { index, name: world.system.instances[app][index]!.name };
}

const kill = (app: App, signal: 'SIGKILL' | 'SIGTERM'): MakeFault => (world, random) => {
  const { index, name } = chooseInstance(world, app, random);
  const awayMs = random.integer(0, 4000);
  return {
    what: `${signal} of ${name}, away for ${awayMs} ms`,
    run: async (hold) => {
      await world.system.kill(app, signal, index);
      await hold(awayMs);
      await world.system.restart(app, index);
    },
  };
};

const freeze = (app: App, range: readonly [number, number]): MakeFault => (world, random) => {
  const { index, name } = chooseInstance(world, app, random);
  const ms = between(random, range);
  return {
    what: `SIGSTOP of ${name} for ${ms} ms`,
    run: async (hold) => {
      await world.system.kill(app, 'SIGSTOP', index);
      await hold(ms);
      await world.system.kill(app, 'SIGCONT', index);
    },
  };
};

const rollFanouts: MakeFault = ({ system }) => ({
  what: 'rolling restart of all fanouts',
  run: async () => {
    for (const [index] of system.instances.fanout.entries()) {
      await system.kill('fanout', 'SIGTERM', index);
      await system.restart('fanout', index);
    }
  },
});

/** All replicas of all partitions are in sync again: the next broker may die without taking the last copy with it. */
async function untilInSync({ cluster, system }: World): Promise<void> {
  const kafka = new Kafka({ brokers: cluster.brokers.split(','), clientId: 'chaos', logLevel: logLevel.NOTHING });
  const admin = kafka.admin();
  await admin.connect();
  try {
    await eventually(async () => {
      const { topics } = await admin.fetchTopicMetadata({ topics: [`${system.topicPrefix}.fragments`, `${system.topicPrefix}.lifecycle`] });
      const lagging = topics.flatMap(({ partitions }) => partitions).filter(({ isr, replicas }) => isr.length < replicas.length);
      if (lagging.length > 0) throw new Error(`${lagging.length} partitions are not in sync again`);
    }, IN_SYNC_MS_MAX);
  } finally {
    await admin.disconnect();
  }
}

const killBroker: MakeFault = (world, random) => {
  const index = random.integer(0, world.cluster.list.length - 1);
  const [broker, gate] = [world.cluster.list[index]!, world.brokerGates[index]!];
  const awayMs = random.integer(500, 6000);
  return {
    what: `SIGKILL of broker ${broker.address}, away for ${awayMs} ms`,
    run: async (hold) => {
      // Nobody listens at the address of a process that is gone.
      await Promise.all([broker.kill('SIGKILL'), gate.refuse()]);
      await hold(awayMs);
      await broker.restart();
      await gate.accept();
      await untilInSync(world);
    },
  };
};

const freezeBroker: MakeFault = (world, random) => {
  const broker = random.pick(world.cluster.list);
  const ms = random.integer(1000, 6000);
  return {
    what: `SIGSTOP of broker ${broker.address} for ${ms} ms`,
    run: async (hold) => {
      await broker.kill('SIGSTOP');
      await hold(ms);
      await broker.kill('SIGCONT');
      await untilInSync(world);
    },
  };
};

type Gate = 'sessions' | 'producers' | 'broker';

function gateOf(world: World, gate: Gate, random: Random): FaultProxy {
  if (gate === 'broker') return random.pick(world.brokerGates);
  return gate === 'sessions' ? world.sessionsGate : world.producersGate;
}

const trouble = (gate: Gate, mode: 'stall' | 'blackhole'): MakeFault => (world, random) => {
  const proxy = gateOf(world, gate, random);
  const ms = between(random, random.chance(0.5) ? SHORT_MS : LONG_MS);
  return {
    what: `TCP ${mode} of ${gate} connections at port ${proxy.port} for ${ms} ms`,
    run: async (hold) => {
      proxy.set(mode);
      await hold(ms);
      proxy.set('pass');
    },
  };
};

const reset = (gate: Gate): MakeFault => (world, random) => {
  const proxy = gateOf(world, gate, random);
  return { what: `TCP reset of ${gate} connections at port ${proxy.port}`, run: async () => { proxy.reset(); } };
};

const delay = (gate: Gate): MakeFault => (world, random) => {
  const proxy = gateOf(world, gate, random);
  const [delayMs, ms] = [between(random, DELAY_MS), between(random, SHORT_MS)];
  return {
    what: `delay of ${delayMs} ms on ${gate} connections at port ${proxy.port} for ${ms} ms`,
    run: async (hold) => {
      proxy.delay(delayMs);
      await hold(ms);
      proxy.delay(0);
    },
  };
};

/** Every kind of fault. Two of different groups may happen at once. */
export const FAULTS: Record<string, { group: 'fanouts' | 'writers' | 'brokers' | 'network'; make: MakeFault }> = {
  'fanout kill -9': { group: 'fanouts', make: kill('fanout', 'SIGKILL') },
  'fanout restart': { group: 'fanouts', make: kill('fanout', 'SIGTERM') },
  'fanout frozen briefly': { group: 'fanouts', make: freeze('fanout', SHORT_MS) },
  'fanout frozen beyond its session': { group: 'fanouts', make: freeze('fanout', LONG_MS) },
  'rolling restart of fanouts': { group: 'fanouts', make: rollFanouts },
  'ingest kill -9': { group: 'writers', make: kill('ingest', 'SIGKILL') },
  'ingest restart': { group: 'writers', make: kill('ingest', 'SIGTERM') },
  'ingest frozen': { group: 'writers', make: freeze('ingest', LONG_MS) },
  'allocator kill -9': { group: 'writers', make: kill('allocator', 'SIGKILL') },
  'allocator restart': { group: 'writers', make: kill('allocator', 'SIGTERM') },
  'allocator frozen': { group: 'writers', make: freeze('allocator', LONG_MS) },
  'broker kill -9': { group: 'brokers', make: killBroker },
  'broker frozen': { group: 'brokers', make: freezeBroker },
  'broker connections stalled': { group: 'brokers', make: trouble('broker', 'stall') },
  'broker connections blackholed': { group: 'brokers', make: trouble('broker', 'blackhole') },
  'broker connections reset': { group: 'brokers', make: reset('broker') },
  'session connections stalled': { group: 'network', make: trouble('sessions', 'stall') },
  'session connections blackholed': { group: 'network', make: trouble('sessions', 'blackhole') },
  'session connections reset': { group: 'network', make: reset('sessions') },
  'producer connections stalled': { group: 'network', make: trouble('producers', 'stall') },
  'producer connections blackholed': { group: 'network', make: trouble('producers', 'blackhole') },
  'producer connections reset': { group: 'network', make: reset('producers') },
  'connections delayed': { group: 'network', make: delay('sessions') },
};
