import { parseCursor, StreamError } from '@rivulet/protocol';
import type { ErrorCode } from '@rivulet/protocol';
import { ChannelFollower } from '../../apps/fanout/src/channel-follower';
import type { ChannelOutlet } from '../../apps/fanout/src/channel-follower';
import { openChannel } from '../../apps/fanout/src/channel-start';
import type { ChannelReset } from '../../apps/fanout/src/channel-start';
import type { Told } from '../../apps/fanout/src/reader';
import type { Subscription } from '../../apps/fanout/src/subscription';
import { WaitingLine } from '../../apps/fanout/src/waiting-line';
import type { NaiveStream } from '../support/naive-judge';
import { Violation } from './oracle';
import { Random } from './random';
import type { SimInstance } from './sim-instance';
import type { SimWorld } from './sim-world';

export const CHANNEL = 'chat';
const BACKOFF_MS_MAX = 400;
const SILENT_MS = 4_000;
const UNREAD_MAX = 3;
const PRINCIPALS = [{ id: 'reader', role: 'operator' as const }];

/** What comes over the connection, with the cursor of the channel after it. */
type Arrival = { at: string } & (
  | { name: 'told'; streamNo: string; told: Told }
  | { name: 'stream'; streamNo: string }
  | { name: 'reset'; reset: ChannelReset }
  | { name: 'problem'; streamNo: string; code: ErrorCode }
);

/** One connection to one instance, as a channel feed makes it. Events go one way, in order; each end may be gone unknown to the other. */
class Connection implements ChannelOutlet {
  isOpen = true;
  private isServed = true;
  private unread = 0;
  private arrivesAt = 0;
  private readonly line = new WaitingLine();
  private follower: ChannelFollower | null = null;

  constructor(private readonly world: SimWorld, readonly instance: SimInstance, private readonly session: SimChannelSession) {}

  async serve(from: string | null): Promise<void> {
    const { delivery } = this.instance;
    try {
      const { handle, place, reset } = await openChannel(delivery, { channel: CHANNEL, from, endedMax: null, principals: PRINCIPALS });
      if (!this.isServed) return handle.stop();
      const { intervalMs } = this.session;
      const follower = this.follower = new ChannelFollower(delivery, { handle, place, principals: PRINCIPALS, intervalMs }, this);
      if (reset !== null) this.send({ name: 'reset', reset, at: follower.cursor });
      follower.start();
    } catch (error) {
      if (!(error instanceof StreamError)) throw error;
      this.trouble(error);
    }
  }

  get isWritable(): boolean {
    return this.isServed && this.unread < UNREAD_MAX;
  }

  opened(): void {
    // No credit here.
  }

  introduce({ entry }: Subscription): void {
    this.send({ name: 'stream', streamNo: entry.streamNo, at: this.follower!.cursor });
  }

  deliver(subscription: Subscription, told: Told[]): void {
    const { streamNo } = subscription.entry;
    for (const one of told) this.send({ name: 'told', streamNo, told: one, at: this.follower!.told(subscription, one) });
  }

  blocked(subscription: Subscription): void {
    this.line.add(subscription);
  }

  finished(subscription: Subscription): void {
    this.line.remove(subscription);
  }

  failed(subscription: Subscription, error: StreamError): void {
    this.line.remove(subscription);
    this.unreadable(subscription.entry.streamNo, error);
  }

  unreadable(streamNo: string, error: StreamError): void {
    if (error.row.next === 'retry') this.trouble(error);
    else this.send({ name: 'problem', streamNo, code: error.code, at: this.follower!.cursor });
  }

  /** The client is gone. The instance learns it after a while. */
  drop(): void {
    this.isOpen = false;
    this.later(() => this.close());
  }

  private trouble(error: StreamError): void {
    this.close();
    this.world.loop.after(this.world.clients, this.instance.log.networkMs(), () => this.session.ended(this, error.code));
  }

  private close(): void {
    this.isServed = false;
    this.line.clear();
    this.follower?.stop();
  }

  private send(arrival: Arrival): void {
    const { loop, clients } = this.world;
    if (!this.isServed) return;
    this.unread += 1;
    this.arrivesAt = Math.max(this.arrivesAt, loop.now + this.instance.log.networkMs());
    loop.after(clients, this.arrivesAt - loop.now, () => {
      if (!this.isOpen) return;
      this.session.receive(this, arrival);
      this.later(() => {
        this.unread -= 1;
        this.line.pump(() => this.isWritable);
      });
    });
  }

  private later(work: () => void): void {
    this.world.loop.after(this.instance.process, this.instance.log.networkMs(), work);
  }
}

/** What it has of one stream. */
interface Held {
  generation: number;
  sequence: number;
  isOver: boolean;
  /** A reset passed it over, unless it was opened after that. */
  isExcused?: boolean;
}

/**
 * A reader of a channel that keeps nothing but the cursor of the channel, and comes back to any instance when it drops [WATCH-12].
 * What it is told is compared with what the log says as it arrives.
 */
export class SimChannelSession {
  readonly counts = { connects: 0, fragments: 0, resets: 0 };
  private readonly held = new Map<string, Held>();
  private readonly random: Random;
  readonly intervalMs: number;
  /** Who stays connected lives through every change of replicas; who does not meets them when it starts. */
  private readonly dropChance: number;
  private cursor: string | null = null;
  private connection: Connection | null = null;
  private heardAt = 0;

  constructor(private readonly world: SimWorld, readonly name: string, seed: number) {
    this.random = new Random(seed);
    this.intervalMs = this.random.pick([0, 0, 100]);
    this.dropChance = this.random.pick([0, 0, 0.02, 0.15]);
  }

  start(): void {
    this.connectAfter(this.random.between(0, 4_000));
    this.watchdog();
  }

  /** Everything of the channel came, or cannot come any more. */
  get isDone(): boolean {
    return this.missing.length === 0;
  }

  get missing(): string[] {
    const { oracle, streams } = this.world;
    return streams.map(({ plan }) => plan.streamNo).filter((streamNo) => {
      const isGone = oracle.damaged.has(streamNo) || oracle.stream(streamNo)?.isDeleted === true;
      const held = this.held.get(streamNo);
      return !isGone && !held?.isOver && !held?.isExcused;
    });
  }

  drop(): void {
    if (this.connection !== null) this.disconnect();
  }

  instanceDied(instance: SimInstance): void {
    if (this.connection?.instance === instance) this.disconnect();
  }

  ended(connection: Connection, code: ErrorCode): void {
    if (this.connection !== connection) return;
    this.check(['NOT_OWNER', 'NOT_READY', 'LOG_UNAVAILABLE'].includes(code), `${code} at ${this.cursor}`);
    this.disconnect();
  }

  receive(connection: Connection, arrival: Arrival): void {
    if (this.connection !== connection) return;
    this.heardAt = this.world.loop.now;
    this.world.watch(() => this.take(arrival));
    this.cursor = arrival.at;
    // Drops after any event: what is still on its way to it is lost, and comes again.
    if (this.random.chance(this.dropChance)) this.disconnect();
  }

  private take(arrival: Arrival): void {
    if (arrival.name === 'reset') return this.reset(arrival.reset);
    const { streamNo } = arrival;
    if (this.world.oracle.damaged.has(streamNo)) return;
    if (arrival.name === 'problem') return this.problem(streamNo, arrival.code);
    const held = this.held.get(streamNo) ?? { generation: 0, sequence: 0, isOver: false };
    this.held.set(streamNo, held);
    this.check(!held.isOver, `${arrival.name} of ${streamNo}, which was over`);
    if (arrival.name === 'told') this.told(this.world.oracle.stream(streamNo)!, streamNo, held, arrival.told);
  }

  private told(stream: NaiveStream, streamNo: string, held: Held, told: Told): void {
    switch (told.kind) {
      case 'rewind':
        this.check(stream.contents.has(told.epoch) && told.epoch > held.generation, `a rewind of ${streamNo} to ${told.epoch} at ${held.generation}`);
        [held.generation, held.sequence] = [told.epoch, 0];
        return;
      case 'fragments': {
        const { first, last, lane, parts, epoch } = told.run;
        if (held.generation === 0) held.generation = told.generation;
        this.check(told.generation === held.generation, `content ${told.generation} of ${streamNo} in ${held.generation}`);
        this.check(first === held.sequence + 1, `[WATCH-1] fragments ${first}–${last} of ${streamNo} where ${held.sequence + 1} was expected`);
        const expected = stream.contents.get(held.generation)!.slice(first - 1, last);
        const isSame = Buffer.concat(expected.map(({ payload }) => payload)).equals(Buffer.concat(parts));
        this.check(isSame && expected.length === last - first + 1, `fragments ${first}–${last} of ${streamNo} are not those of the log`);
        this.check(expected.every((one) => one.lane === lane && one.epoch === epoch), `fragments ${first}–${last} of ${streamNo} are merged wrongly`);
        held.sequence = last;
        this.counts.fragments += expected.length;
        return;
      }
      case 'final':
        this.check(told.final.sequence === held.sequence, `the end of ${streamNo} at ${told.final.sequence}, and ${held.sequence} came`);
        this.world.oracle.checkFinal(streamNo, told.final, this.name);
        held.isOver = true;
        return;
      default: // lost, resumed: advice
    }
  }

  /** Only when something of the channel was removed; what it names goes on there, the rest is for the reader to fetch. */
  private reset({ reason, streams }: ChannelReset): void {
    const { oracle } = this.world;
    const isRemoved = this.world.streams.some(({ plan }) => oracle.damaged.has(plan.streamNo) || oracle.stream(plan.streamNo)?.isDeleted);
    this.check(reason === 'gone' && isRemoved, `a reset (${reason}) at ${this.cursor}, and nothing was removed`);
    this.counts.resets += 1;
    for (const { plan: { streamNo } } of this.world.streams) {
      const named = streams.find((one) => one.streamNo === streamNo);
      if (named === undefined) {
        if (!this.held.get(streamNo)?.isOver) this.held.set(streamNo, { generation: 0, sequence: 0, isOver: false, isExcused: true });
        continue;
      }
      const { epoch, sequence } = parseCursor(named.cursor);
      const generation = Math.max(...[...oracle.stream(streamNo)!.contents.keys()].filter((began) => began <= epoch));
      this.held.set(streamNo, { generation, sequence, isOver: false });
    }
  }

  private problem(streamNo: string, code: ErrorCode): void {
    const isGone = (code === 'STREAM_GONE' || code === 'STREAM_NOT_FOUND') && this.world.oracle.stream(streamNo)?.isDeleted;
    this.check(isGone || this.world.isExpected(streamNo, code), `${code} of ${streamNo}`);
    this.held.set(streamNo, { generation: 0, sequence: 0, isOver: true });
  }

  private disconnect(): void {
    this.connection?.drop();
    this.connection = null;
    this.connectAfter(this.random.next() * BACKOFF_MS_MAX);
  }

  private connectAfter(ms: number): void {
    const { loop, clients } = this.world;
    loop.after(clients, ms, () => {
      if (this.connection !== null) return;
      const live = this.world.instances.filter(({ process }) => !process.isDead);
      if (live.length === 0) return this.connectAfter(BACKOFF_MS_MAX);
      const instance = this.random.pick(live);
      const connection = this.connection = new Connection(this.world, instance, this);
      this.heardAt = loop.now;
      this.counts.connects += 1;
      const { cursor } = this;
      loop.after(instance.process, instance.log.networkMs(), () => this.world.guard(connection.serve(cursor)));
    });
  }

  /** Hears nothing for long: goes elsewhere, as the process may hang. */
  private watchdog(): void {
    const { loop, clients } = this.world;
    loop.after(clients, SILENT_MS / 2, () => {
      const process = this.connection?.instance.process;
      const isStuck = process !== undefined && (process.isPaused || process.isDead);
      if (isStuck && loop.now - this.heardAt > SILENT_MS) this.disconnect();
      this.watchdog();
    });
  }

  private check(isRight: boolean | undefined, text: string): void {
    if (!isRight) throw new Violation(`${this.name}: ${text}`);
  }
}
