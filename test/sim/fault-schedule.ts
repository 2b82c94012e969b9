import { Probe } from './probe';
import type { SimWorld } from './sim-world';
import type { SimProcess } from './virtual-loop';

/** One kind of trouble; how often it comes, beside the others. */
interface Fault { weight: number; strike(world: SimWorld): void }

const RESTART_MS_MAX = 2_500;

/** How long somebody is asleep, cut off or away: mostly shorter than a session timeout, sometimes longer. */
const spell = (world: SimWorld): number => world.random.pick([world.random.between(50, 900), world.random.between(1_000, 6_000)]);

const FAULTS: Record<string, Fault> = {
  killInstance: { weight: 4, strike: (world) => {
    const instance = world.random.pick(world.instances);
    if (instance === undefined) return;
    world.killInstance(instance);
    world.loop.after(world.clients, world.random.next() * RESTART_MS_MAX, () => world.startInstance());
  } },
  killIngest: { weight: 3, strike: (world) => {
    const ingest = world.random.pick(world.ingests);
    if (ingest === undefined) return;
    world.killIngest(ingest);
    world.loop.after(world.clients, world.random.next() * RESTART_MS_MAX, () => world.startIngest());
  } },
  pauseInstance: { weight: 4, strike: (world) => pause(world, world.random.pick(world.instances)?.process) },
  pauseIngest: { weight: 2, strike: (world) => pause(world, world.random.pick(world.ingests)?.process) },
  restartInstance: { weight: 2, strike: (world) => {
    const instance = world.random.pick(world.instances);
    if (instance === undefined) return;
    world.note(`${instance.name} is told to go`);
    world.loop.after(instance.process, 0, () => world.guard(instance.drain().catch(() => undefined)));
    world.loop.after(world.clients, 1_500, () => {
      if (instance.process.isDead) return;
      world.killInstance(instance);
      world.startInstance();
    });
  } },
  cutHeartbeats: { weight: 3, strike: (world) => {
    const name = world.random.pick(world.instances)?.name ?? '';
    world.note(`heartbeats of ${name} are cut off`);
    world.group.cut.add(name);
    world.loop.after(world.clients, spell(world), () => void world.group.cut.delete(name));
  } },
  movePartitions: { weight: 3, strike: (world) => {
    const name = world.random.pick(world.instances)?.name ?? '';
    world.note(`partitions are moved away from ${name}`);
    world.group.shunned.add(name);
    world.loop.after(world.clients, spell(world), () => void world.group.shunned.delete(name));
  } },
  brokerAway: { weight: 2, strike: (world) => {
    if (world.broker.isAway) return;
    world.note('the broker is away');
    world.broker.isAway = true;
    world.loop.after(world.clients, spell(world), () => brokerBack(world));
  } },
  changeLeader: { weight: 3, strike: (world) => {
    const { random, broker } = world;
    const topic = random.pick([broker.names.fragments, broker.names.lifecycle]);
    const partition = random.integer(0, world.plan.partitions - 1);
    world.note(`the leader of ${topic}/${partition} changes`);
    broker.changeLeader(topic, partition, random.integer(1, 8), random.between(50, 1_500));
  } },
  dropSessions: { weight: 5, strike: (world) => {
    for (const session of [...world.sessions, ...world.channelSessions]) if (world.random.chance(0.6)) session.drop();
  } },
  crashProducer: { weight: 10, strike: (world) => world.random.pick(world.streams).crashProducer() },
  splice: { weight: 1, strike: (world) => world.random.pick(world.streams).splice() },
  cancel: { weight: 1, strike: (world) => world.random.pick(world.streams).cancel('user') },
  compact: { weight: 4, strike: (world) => compact(world) },
  retention: { weight: 1, strike: (world) => truncate(world, false) },
  logLoss: { weight: 1, strike: (world) => truncate(world, true) },
  jumpClock: { weight: 2, strike: (world) => {
    const jumps: SimProcess[] = [world.broker.process, ...world.instances.map(({ process }) => process)];
    const process = world.random.pick(jumps);
    process.wallOffsetMs += world.random.pick([-4_000, -500, 500, 4_000]);
    world.note(`the clock of ${process.name} jumps to ${process.wallOffsetMs}`);
  } },
  poison: { weight: 1, strike: (world) => {
    const partition = world.random.integer(0, world.plan.partitions - 1);
    const { streamNo } = world.random.pick(world.streams).plan;
    world.broker.append(world.broker.names.fragments, partition, [{ key: streamNo, value: world.random.bytes(12), entries: 1 }], 'a stranger');
  } },
  probe: { weight: 3, strike: (world) => {
    world.checkReplicas();
    new Probe(world).start(world.random.integer(0, world.plan.partitions - 1));
  } },
};

const BAG = Object.entries(FAULTS).flatMap(([name, { weight }]) => Array<string>(weight).fill(name));

export function strike(world: SimWorld): void {
  const name = world.random.pick(BAG);
  FAULTS[name]!.strike(world);
}

function pause(world: SimWorld, process: SimProcess | undefined): void {
  if (process === undefined || process.isPaused) return;
  world.note(`${process.name} is paused`);
  world.loop.pause(process);
  world.loop.after(world.clients, spell(world), () => {
    if (process.isPaused && !process.isDead) world.note(`${process.name} goes on`);
    world.loop.resume(process);
  });
}

function compact(world: SimWorld): void {
  const { partitions, compactionLagMs, tombstoneLagMs } = world.plan;
  for (let partition = 0; partition < partitions; partition += 1) world.broker.compact(partition, compactionLagMs, tombstoneLagMs);
}

/** The log loses its beginning: by retention, which takes only what no open stream and no replay needs, or by a mistake that takes more. */
function truncate(world: SimWorld, isLoss: boolean): void {
  const { random, oracle, broker } = world;
  const partition = random.integer(0, world.plan.partitions - 1);
  const place = broker.partition(broker.names.fragments, partition);
  const here = new Set(world.streams.filter(({ plan }) => plan.partition === partition).map(({ plan }) => plan.streamNo));
  const own = [...oracle.naive].filter(([streamNo]) => here.has(streamNo));
  const isEnded = (streamNo: string): boolean => (oracle.table.get(streamNo)?.final ?? null) !== null;
  const needed = own.filter(([streamNo]) => !isEnded(streamNo)).map(([, { openedOffset }]) => openedOffset);
  const most = isLoss ? place.end : Math.min(place.end, oracle.replayFrom.get(partition) ?? 0, ...needed);
  const before = random.integer(place.start, Math.max(place.start, most));
  if (before === place.start) return;
  world.note(`${broker.names.fragments}/${partition} loses what is below ${before}`);
  for (const [streamNo, { openedOffset }] of own) if (openedOffset < before) (isLoss ? oracle.damaged : oracle.shortened).add(streamNo);
  place.truncate(before);
}

function brokerBack(world: SimWorld): void {
  if (!world.broker.isAway) return;
  world.note('the broker is back');
  world.broker.isAway = false;
  world.group.returned();
}

/** From here on nothing goes wrong any more: what must come true in the end has to, now. */
export function heal(world: SimWorld): void {
  world.note('all is well from here on');
  brokerBack(world);
  world.broker.faults = { lostAnswer: 0, lostRequest: 0, slowSend: 0, slowSendMsMax: 0, networkMsMax: 2 };
  world.group.cut.clear();
  world.group.shunned.clear();
  for (const { process } of [...world.instances, ...world.ingests]) if (process.isPaused) world.loop.resume(process);
  if (world.ingests.length === 0) world.startIngest();
  if (world.instances.length === 0) world.startInstance();
}
