import { StreamError } from '@rivulet/protocol';
import { ColdReader, generationOf } from '../../apps/fanout/src/cold-reader';
import { ScanTurns } from '../../apps/fanout/src/scan-turns';
import type { StreamEntry } from '../../apps/fanout/src/stream-source';
import { heal, strike } from './fault-schedule';
import { Violation } from './oracle';
import { Probe } from './probe';
import type { SimInstance } from './sim-instance';
import { SimSession } from './sim-session';
import { SimStream } from './sim-stream';
import { SimWorld } from './sim-world';
import type { SimHooks } from './sim-world';

export interface Outcome {
  seed: number;
  traceHash: number;
  events: number;
  /** Virtual, ms. */
  elapsedMs: number;
  counts: Record<string, number>;
}

/** A seed that failed, with what is needed to look at it again. */
export class SimulationFailed extends Error {
  override readonly name = 'SimulationFailed';
  constructor(readonly seed: number, cause: Error, notes: readonly string[]) {
    const steps = notes.slice(-40).join('\n');
    super(`seed ${seed}: ${cause.message}\nagain: npm run sim -- --seed ${seed} --verbose\nits last steps:\n${steps}`, { cause });
  }
}

const FAULTS_MS = 11_000;
/** Whoever is to start again has by then. */
const RESTARTED_MS = FAULTS_MS + 2_600;
const CALM_MS_MAX = 120_000;
const TABLE_MS_MAX = 10_000;
const COLD_AGAIN_MS = 100;
const BEAT_MS = 1_000;
/** After calm has come, unfinished streams are looked at this often, ms: whoever has no producer left is cancelled. */
const FINISH_MS = 2_000;

/** Runs one seed. @throws SimulationFailed */
export async function simulate(seed: number, hooks: SimHooks = {}): Promise<Outcome> {
  const world = new SimWorld(seed, hooks);
  world.loop.install();
  const rejected = (error: unknown): void => { world.failure ??= error as Error; };
  process.on('unhandledRejection', rejected);
  try {
    await run(world);
    return outcomeOf(world);
  } catch (error) {
    throw new SimulationFailed(seed, error as Error, world.notes);
  } finally {
    process.off('unhandledRejection', rejected);
    world.loop.restore();
  }
}

async function run(world: SimWorld): Promise<void> {
  const { loop, plan, random } = world;
  for (let count = 0; count < plan.instances; count += 1) world.startInstance();
  for (let count = 0; count < plan.ingests; count += 1) world.startIngest();
  for (const options of plan.streams) world.streams.push(new SimStream(world, options));
  for (const stream of world.streams) {
    loop.after(world.clients, random.between(0, 3_000), () => stream.open(() => startSessions(world, stream)));
  }
  const faults = random.integer(0, 12);
  for (let count = 0; count < faults; count += 1) loop.after(world.clients, random.between(100, FAULTS_MS), () => strike(world));
  beat(world);
  const step = (): void => world.checkStep();
  await loop.runUntil(() => loop.now >= FAULTS_MS, FAULTS_MS, step);
  heal(world);
  finishUp(world);
  const isCalm = await loop.runUntil(() => loop.now > RESTARTED_MS && isOver(world), CALM_MS_MAX, step);
  if (!isCalm) throw new Violation(`it does not come to an end: ${pending(world)}`);
  // What was published last is on its way to the table.
  await loop.runUntil(() => isTableRight(world), TABLE_MS_MAX, step);
  await checkEnd(world, step);
}

/** [APPEND-7] The leases of producers that live are renewed; the others run out. */
function beat(world: SimWorld): void {
  const { loop, clients, random } = world;
  loop.after(clients, BEAT_MS, () => {
    beat(world);
    const ingest = random.pick(world.ingests);
    if (ingest === undefined || loop.now > FAULTS_MS) return;
    for (let partition = 0; partition < world.plan.partitions; partition += 1) {
      const beating = world.streams.filter((stream) => stream.plan.partition === partition).flatMap((stream) => stream.beating());
      loop.after(ingest.process, 0, () => ingest.beat(partition, beating));
    }
  });
}

function startSessions(world: SimWorld, { plan }: SimStream): void {
  for (const options of world.plan.sessions) {
    if (options.streamNo !== plan.streamNo) continue;
    const session = new SimSession(world, options);
    world.sessions.push(session);
    // Some are there from the beginning, some come late.
    world.loop.after(world.clients, world.random.pick([0, 0, 2_000, 8_000]), () => session.start());
  }
}

function finishUp(world: SimWorld): void {
  world.loop.after(world.clients, FINISH_MS, () => {
    for (const stream of world.streams) stream.finishUp();
    finishUp(world);
  });
}

const isOver = (world: SimWorld): boolean => world.streams.every((stream) => stream.isOver || isGone(world, stream))
  && world.sessions.length === world.plan.sessions.length && world.sessions.every(({ isDone }) => isDone)
  && world.channelSessions.every(({ isDone }) => isDone);

const isGone = ({ oracle }: SimWorld, { plan }: SimStream): boolean => oracle.stream(plan.streamNo)?.isDeleted === true
  || oracle.damaged.has(plan.streamNo);

function pending(world: SimWorld): string {
  const streams = world.streams.filter((stream) => !stream.isOver).map(({ plan }) => plan.streamNo);
  const sessions = world.sessions.filter(({ isDone }) => !isDone).map(({ options, cursor }) => `${options.name} at ${cursor}`);
  const channels = world.channelSessions.flatMap(({ name, missing }) => missing.map((streamNo) => `${name} lacks ${streamNo}`));
  return `streams [${streams.join(', ')}] sessions [${sessions.join(', ')}] [${channels.join(', ')}]`;
}

function isTableRight({ oracle }: SimWorld): boolean {
  try {
    oracle.checkTable();
    return true;
  } catch {
    return false;
  }
}

async function checkEnd(world: SimWorld, step: () => void): Promise<void> {
  const { oracle, loop } = world;
  oracle.checkJudges();
  oracle.checkTable();
  world.checkReplicas();
  for (const session of world.sessions) session.checkWhole();
  for (const { final } of oracle.naive.values()) world.count(`${final?.status ?? 'open'} ${final?.status === 'failed' ? final.reason : ''}`.trim());
  const probes = Array.from({ length: world.plan.partitions }, (_, partition) => {
    const probe = new Probe(world);
    probe.start(partition);
    return probe;
  });
  const reading = Promise.all(world.instances.map((instance) => checkColdReads(world, instance)));
  let isRead = false;
  reading.then(() => { isRead = true; }, (error: unknown) => { world.failure ??= error as Error; });
  const isDone = await loop.runUntil(() => isRead && probes.every((probe) => probe.isDone), 30_000, step);
  if (!isDone) throw new Violation('cold reads or takeovers at the end do not come to an end');
}

/** From any position of any stream, what is read back from the log is the content. */
async function checkColdReads(world: SimWorld, instance: SimInstance): Promise<void> {
  const turns = new ScanTurns({ log: instance.log, topic: world.broker.names.fragments, concurrentMax: 2 });
  for (const { plan } of world.streams) {
    const naive = world.oracle.stream(plan.streamNo)!;
    if (naive.isDeleted || world.oracle.damaged.has(plan.streamNo) || world.oracle.shortened.has(plan.streamNo)) continue;
    const entry = await openForCheck(world, instance, plan.streamNo);
    if (entry === null) continue;
    const starts = new Set([0, ...entry.positions.map((position) => position.next - 1), world.random.integer(0, naive.content.length)]);
    for (const start of starts) {
      if (start >= naive.content.length) continue;
      const expected = Buffer.concat(naive.content.slice(start).map(({ payload }) => payload));
      const cold = new ColdReader(entry, generationOf(entry.state), start, turns);
      const read: Uint8Array[] = [];
      let at = start;
      while (at < naive.content.length) {
        for (const run of await cold.read(instance.options.frameBytesMax, () => true)) {
          if (run.first !== at + 1) throw new Violation(`a cold read of ${plan.streamNo} from ${start} goes on at ${run.first} after ${at}`);
          read.push(...run.parts);
          at = run.last;
        }
      }
      if (!Buffer.concat(read).equals(expected)) throw new Violation(`a cold read of ${plan.streamNo} from ${start} is not its content`);
    }
    instance.replicas.release(entry);
  }
}

/** Any instance has any stream [OWN-8]. @returns null when it is gone */
async function openForCheck(world: SimWorld, instance: SimInstance, streamNo: string): Promise<StreamEntry | null> {
  for (;;) {
    try {
      return await instance.replicas.open(streamNo);
    } catch (error) {
      if (!(error instanceof StreamError)) throw error;
      if (instance.process.isDead || (error.code === 'STREAM_GONE' && world.oracle.stream(streamNo)!.isDeleted)) return null;
      if (error.row.next !== 'retry' || error.code === 'INTERNAL') throw error;
      await new Promise<void>((resolve) => void world.loop.after(world.clients, COLD_AGAIN_MS, resolve));
    }
  }
}

function outcomeOf(world: SimWorld): Outcome {
  const { oracle, loop, sessions } = world;
  const sum = (count: (session: SimSession) => number): number => sessions.reduce((total, session) => total + count(session), 0);
  return {
    seed: world.seed, traceHash: world.traceHash >>> 0, events: loop.events, elapsedMs: loop.now,
    counts: {
      ...oracle.counts, ...world.counts, streams: world.streams.length, sessions: sessions.length,
      connects: sum(({ counts }) => counts.connects), delivered: sum(({ counts }) => counts.fragments),
      rewinds: sum(({ counts }) => counts.rewinds),
    },
  };
}
