/**
 * Chaos on the real thing: three brokers, several instances of every service behind one proxy, producers and sessions of every temper, and
 * a seeded schedule of faults. At the end everything heals, every stream ends, every session waits for its final event, and the history
 * checker compares what was acknowledged, what the log holds and what each session saw.
 */
import { setMaxListeners } from 'node:events';
import { setTimeout as elapse } from 'node:timers/promises';
import { FaultProxy } from '../../tools/fault-proxy.cjs';
import { HistoryChecker } from '../support/history';
import { startCluster } from '../support/kafka-cluster';
import { scanFragments } from '../support/read-fragments';
import { startSystem } from '../support/system';
import { FAULTS } from './faults';
import type { World } from './faults';
import { Ledger } from './ledger';
import { clock } from './pauses';
import { PRODUCERS } from './producers';
import type { ProducerKind } from './producers';
import { Random } from './random';
import { Schedule } from './schedule';
import type { Window } from './schedule';
import { Sessions, SESSION_KINDS } from './sessions';
import type { SessionKind } from './sessions';
import { killZombies } from './zombie';

export interface ChaosOptions {
  seed: string;
  /** Of the faults, at most; the producers come to their end afterwards. */
  durationMs: number;
  /** How many producers of each kind write at once, one stream after the other. */
  producers: Partial<Record<ProducerKind, number>>;
  fragments: readonly [number, number];
  intervalMs: readonly [number, number];
  /** Of each NDJSON producer. */
  perSecond: number;
  calmMs: readonly [number, number];
  pairProbability: number;
  pace: number;
  /** Only these kinds of faults; default: all. */
  only?: readonly string[];
  /** Each kind of fault once and as many as possible at a time, instead of one after the other for all the duration. */
  isShort?: boolean;
  counts: { fanout: number; ingest: number; allocator: number };
  /** How long producers and sessions may take after the last fault, ms. */
  finishMsMax: number;
  say(line: string): void;
}

export interface ChaosReport {
  seed: string;
  ledger: Ledger;
  windows: Window[];
  /** In the content of all streams, by the log. */
  fragments: number;
  breaches: string[];
  /** performance.now ms */
  startedAt: number;
  seconds: number;
}

const DROP_MS = 2000;
const SAY_MS = 10_000;
/** The signal of producers that cannot finish: what they hang in must not keep the run from its verdict. */
const LAST_WAIT_MS = 5000;
const PARTITIONS = { RIVULET_PARTITIONS_INTERACTIVE: '12', RIVULET_PARTITIONS_BULK: '4' };
const REPLICATED = { RIVULET_REPLICATION: '3', RIVULET_MIN_INSYNC: '2' };

/** Everything that runs, so that it can be ended in any state. */
class Stage {
  private readonly gates: FaultProxy[] = [];
  private readonly parts: { stop(): Promise<unknown> }[] = [];

  async gate(port: number): Promise<FaultProxy> {
    const gate = await new FaultProxy({ port }).listen();
    this.gates.push(gate);
    return gate;
  }

  async open({ counts, say }: ChaosOptions): Promise<World> {
    const brokerGates: FaultProxy[] = [];
    say('starting three brokers');
    const cluster = await startCluster({
      advertise: async (port) => {
        const gate = await this.gate(port);
        brokerGates.push(gate);
        return gate.port;
      },
    });
    this.parts.push(cluster);
    say(`starting ${Object.entries(counts).map(([app, count]) => `${count} ${app}`).join(', ')} and the proxy`);
    const system = await startSystem({ brokers: cluster.brokers, proxy: true, counts, env: { ...PARTITIONS, ...REPLICATED } });
    this.parts.unshift(system);
    const port = Number(new URL(system.urls.proxy).port);
    return { system, cluster, brokerGates, sessionsGate: await this.gate(port), producersGate: await this.gate(port) };
  }

  async close(): Promise<void> {
    killZombies();
    for (const part of this.parts) await part.stop();
    for (const gate of this.gates) await gate.close();
  }
}

const urlOf = (gate: FaultProxy): string => `http://127.0.0.1:${gate.port}`;

/** Producers of all kinds, each slot one stream after the other until it is time to close. */
class Traffic {
  readonly ledger = new Ledger();
  readonly sessions: Sessions;
  private readonly slots: Promise<void>[] = [];
  private unfinished = 0;

  constructor(private readonly world: World, private readonly options: ChaosOptions, droppingUrl: string, patience: AbortSignal) {
    const { system, sessionsGate } = world;
    this.sessions = new Sessions({ ledger: this.ledger, apiKey: system.apiKey, url: urlOf(sessionsGate), droppingUrl, signal: patience });
  }

  start(closing: AbortSignal): void {
    const random = new Random(this.options.seed);
    for (const [kind, count] of Object.entries(this.options.producers) as [ProducerKind, number][]) {
      for (let slot = 0; slot < count; slot++) this.slots.push(this.run(kind, slot, random.derive(`${kind} ${slot}`), closing));
    }
  }

  /** @returns whether all producers came to their end */
  async finished(msMax: number): Promise<boolean> {
    await Promise.race([Promise.all(this.slots), elapse(msMax, undefined, { ref: false })]);
    return this.unfinished === 0;
  }

  get open(): number {
    return this.unfinished;
  }

  private async run(kind: ProducerKind, slot: number, random: Random, closing: AbortSignal): Promise<void> {
    const { fragments, intervalMs, perSecond } = this.options;
    this.unfinished += 1;
    // Not all at once: the first stream of each begins somewhere in the first seconds.
    await elapse(random.integer(0, 2000));
    for (let count = 1; !closing.aborted; count++) {
      const label = `${kind}${slot}-${count}`;
      try {
        await PRODUCERS[kind]({
          ledger: this.ledger, url: urlOf(this.world.producersGate), apiKey: this.world.system.apiKey, random, label, perSecond, closing,
          fragments: random.integer(...fragments), intervalMs: random.integer(...intervalMs),
          onOpened: (stream) => this.sessions.watch(stream, sessionKinds(kind, random), random.derive(label)),
        });
      } catch (error) {
        this.ledger.breach(`producer ${label} failed: ${String((error as { code?: unknown }).code ?? '')} ${String(error)}`);
        await elapse(1000);
      }
    }
    this.unfinished -= 1;
  }
}

/** A plain one always, others as the seed says. */
function sessionKinds(kind: ProducerKind, random: Random): SessionKind[] {
  const plain: SessionKind = random.chance(0.5) ? 'sse' : 'ws';
  const others = random.shuffled(SESSION_KINDS).slice(0, kind === 'ndjson' ? 2 : random.integer(0, 2));
  // A session that is slow by the fragment would need hours for a bulk stream.
  return [plain, ...others.filter((other) => other !== 'slow' || kind !== 'ndjson')];
}

export async function runChaos(options: ChaosOptions, interrupted: AbortSignal = new AbortController().signal): Promise<ChaosReport> {
  const startedAt = performance.now();
  const stage = new Stage();
  const patience = new AbortController();
  const closing = new AbortController();
  // Every wait of every session listens to it.
  setMaxListeners(0, patience.signal);
  const say = (line: string): void => options.say(`${clock(performance.now() - startedAt)} ${line}`);
  interrupted.addEventListener('abort', () => {
    closing.abort();
    patience.abort();
  });
  let timers: NodeJS.Timeout[] = [];
  try {
    const world = await stage.open({ ...options, say });
    const droppingGate = await stage.gate(Number(new URL(world.system.urls.proxy).port));
    const traffic = new Traffic(world, options, urlOf(droppingGate), patience.signal);
    const { ledger } = traffic;
    const schedule = new Schedule(world, {
      random: new Random(options.seed).derive('faults'), calmMs: options.calmMs, pairProbability: options.pairProbability, pace: options.pace,
      kinds: options.only ?? Object.keys(FAULTS), say, onTrouble: (what) => ledger.breach(what),
    });
    timers = [setInterval(() => droppingGate.reset(), DROP_MS), setInterval(() => say(progress(traffic)), SAY_MS)];
    traffic.start(closing.signal);
    const faults = new AbortController();
    timers.push(setTimeout(() => faults.abort(), options.durationMs));
    interrupted.addEventListener('abort', () => faults.abort());
    await (options.isShort ? schedule.runOnce(faults.signal) : schedule.run(faults.signal));
    clearInterval(timers[0]);
    interrupted.throwIfAborted();
    say(`all faults are healed; waiting for producers and sessions, at most ${options.finishMsMax / 1000} s`);
    closing.abort();
    const giveUp = setTimeout(() => patience.abort(), options.finishMsMax);
    timers.push(giveUp);
    if (!(await traffic.finished(options.finishMsMax - LAST_WAIT_MS))) ledger.breach(`${traffic.open} producers did not come to their end`);
    await traffic.sessions.finished();
    say(progress(traffic));
    const { fragments, breaches } = await verdict(world, ledger);
    const seconds = (performance.now() - startedAt) / 1000;
    return { seed: options.seed, ledger, windows: schedule.windows, fragments, breaches, startedAt, seconds };
  } finally {
    for (const timer of timers) clearInterval(timer);
    patience.abort();
    await stage.close();
  }
}

async function verdict({ cluster, system }: World, ledger: Ledger): Promise<{ fragments: number; breaches: string[] }> {
  const checker = new HistoryChecker(ledger.streams.flatMap(({ runs }) => runs));
  const wanted = new Set(ledger.streams.map(({ streamNo }) => streamNo));
  await scanFragments(cluster.brokers, system.topicPrefix, wanted, (record) => checker.add(record));
  const sealed = ledger.streams.flatMap((stream) => (stream.sealed ? [stream.sealed] : []));
  const breaches = [...ledger.breaches, ...checker.finish(ledger.sessions.map(({ record }) => record), sealed)];
  return { fragments: checker.fragments, breaches };
}

function progress({ ledger, open }: Traffic): string {
  const { streams, sessions, acknowledged, delivered, openSessions, reconnects, breaches } = ledger;
  const trouble = breaches.length > 0 ? ` | BREACHES ${breaches.length}: ${breaches[0]}` : '';
  return `${streams.length} streams, ${open} producers | ${acknowledged} acknowledged, ${delivered} delivered | `
    + `${sessions.length} sessions, ${openSessions} open, ${reconnects} reconnects${trouble}`;
}
