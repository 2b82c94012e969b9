import { formatCursor, parseCursor, StreamError } from '@rivulet/protocol';
import type { ErrorCode, FinalFacts } from '@rivulet/protocol';
import { fragmentText, toldText } from '../../apps/fanout/src/event-text';
import type { Told } from '../../apps/fanout/src/reader';
import type { StreamEntry } from '../../apps/fanout/src/stream-source';
import type { Outlet, Subscription } from '../../apps/fanout/src/subscription';
import type { NaiveFragment, NaiveStream } from '../support/naive-judge';
import { isSame, Violation } from './oracle';
import { codeOf } from './sim-instance';
import type { SimInstance } from './sim-instance';
import type { SimWorld } from './sim-world';

/** What arrives at a reader, as the text of the transports says it. */
type Arrival =
  | { name: 'fragment'; cursor: string; from: number; to: number; lane: string; payload: Buffer; count: number }
  | { name: 'rewind'; cursor: string; epoch: number }
  | { name: 'final'; cursor: string; final: FinalFacts }
  | { name: 'lost' | 'resumed' }
  | { name: 'trouble'; code: ErrorCode }
  | { name: 'closed' };

export interface SessionOptions {
  name: string;
  streamNo: string;
  /** Time it takes to read one event, ms. */
  readMs: number;
  /** Events on the way to it, beyond which the transport takes no more. */
  unreadMax: number;
  intervalMs: number;
  /** Flow control of its own: so many fragments beyond what it has read; 0: none. */
  window: number;
}

const DEAD_MS_MAX = 600;
const BACKOFF_MS_MAX = 400;
/** Nothing for so long from an instance: it may hang, and another one may not. */
const SILENT_MS = 4_000;
/** What may be answered to a reader that does nothing wrong; the rest are violations. */
const PASSING: readonly ErrorCode[] = ['NOT_OWNER', 'NOT_READY', 'LOG_UNAVAILABLE'];

/** A connection: events go one way in order, what was read goes back. Either end may be gone without the other knowing. */
class Connection implements Outlet {
  isOpen = true;
  private isServed = true;
  private unread = 0;
  private arrivesAt = 0;
  private acked = 0;
  private subscription: Subscription | null = null;

  constructor(private readonly world: SimWorld, readonly instance: SimInstance, private readonly session: SimSession) {}

  /** As Watch.events does for a request. Runs in the instance. */
  async serve(cursor: string | null): Promise<void> {
    const { delivery } = this.instance;
    const { streamNo, intervalMs, window } = this.session.options;
    let entry: StreamEntry | null = null;
    try {
      entry = await delivery.open(streamNo, [{ id: 'reader', role: 'operator' }]);
      const place = await delivery.place(entry, cursor);
      if (place.isFinished || !this.isServed) {
        delivery.options.source.release(entry);
        return this.send({ name: 'closed' });
      }
      this.subscription = delivery.subscription(delivery.reader(entry, place), entry, this, intervalMs);
      this.acked = place.sequence;
      if (window > 0) this.subscription.allow(this.acked + window);
      this.subscription.pump();
    } catch (error) {
      if (entry !== null && this.subscription === null) delivery.options.source.release(entry);
      if (!(error instanceof StreamError)) throw error;
      this.send({ name: 'trouble', code: error.code });
    }
  }

  get isWritable(): boolean {
    return this.isServed && this.unread < this.session.options.unreadMax;
  }

  deliver(subscription: Subscription, told: Told[]): void {
    const { merge } = subscription.entry.state.open;
    for (const one of told) {
      if (one.kind === 'rewind') this.acked = 0;
      this.send(arrivalOf(one, merge));
    }
    const { window } = this.session.options;
    if (window > 0) subscription.allow(this.acked + window);
  }

  blocked(): void {
    // One subscription: it is pumped when something was read.
  }

  finished(): void {
    this.send({ name: 'closed' });
  }

  failed(_subscription: Subscription, error: StreamError): void {
    this.world.note(`${this.session.options.name} is told ${codeOf(error)} by ${this.instance.name}`);
    this.send({ name: 'trouble', code: error.code });
  }

  /** The client is gone. The instance learns it after a while. */
  drop(): void {
    this.isOpen = false;
    this.world.loop.after(this.instance.process, this.instance.log.networkMs(), () => {
      this.isServed = false;
      this.subscription?.stop();
    });
  }

  private send(arrival: Arrival): void {
    const { loop, random } = this.world;
    const { readMs } = this.session.options;
    this.unread += 1;
    this.arrivesAt = Math.max(this.arrivesAt, loop.now + this.instance.log.networkMs()) + random.next() * readMs;
    loop.after(this.world.clients, this.arrivesAt - loop.now, () => {
      if (!this.isOpen) return;
      this.session.receive(this, arrival);
      loop.after(this.instance.process, this.instance.log.networkMs(), () => this.wasRead(arrival));
    });
  }

  private wasRead(arrival: Arrival): void {
    this.unread -= 1;
    const { window } = this.session.options;
    if (this.subscription === null || !this.isServed) return;
    if (window > 0 && arrival.name === 'fragment' && parseCursor(arrival.cursor).epoch >= this.session.rewoundTo) {
      this.acked = Math.max(this.acked, arrival.to);
      this.subscription.allow(this.acked + window);
    }
    this.subscription.pump();
  }
}

function arrivalOf(told: Told, merge: 'text' | 'bytes' | 'json' | 'latest'): Arrival {
  if (told.kind !== 'fragments') {
    const { name, cursor } = toldText(told);
    if (told.kind === 'rewind') return { name: 'rewind', cursor, epoch: told.epoch };
    return told.kind === 'final' ? { name: 'final', cursor, final: told.final } : { name: name as 'lost' | 'resumed' };
  }
  const { run } = told;
  const { cursor, members } = fragmentText(run, merge);
  const shown = JSON.parse(`{${members}}`) as { from: number; to: number; lane?: string; text?: string; base64?: string };
  const payload = shown.text !== undefined ? Buffer.from(shown.text) : Buffer.from(shown.base64!, 'base64');
  return { name: 'fragment', cursor, from: shown.from, to: shown.to, lane: shown.lane ?? '', payload, count: run.parts.length };
}

/** A reader that keeps a cursor, loses its connection, and comes back to any instance. What it is told is checked as it arrives. */
export class SimSession {
  cursor: string | null = null;
  isDone = false;
  /** The epoch that began the content it has. */
  rewoundTo = 1;
  readonly counts = { connects: 0, fragments: 0, rewinds: 0 };
  private sequence = 0;
  private isFinal = false;
  /** The log has lost what it would have been told next, and it was told so. */
  private isCutShort = false;
  private connection: Connection | null = null;
  private heardAt = 0;
  private isLost = false;

  constructor(private readonly world: SimWorld, readonly options: SessionOptions) {}

  start(): void {
    this.connectAfter(0);
    this.watchdog();
  }

  /** Loses its connection, and comes back. */
  drop(): void {
    if (this.connection === null || this.isDone) return;
    this.world.note(`${this.options.name} drops at ${this.cursor}`);
    this.disconnect(BACKOFF_MS_MAX);
  }

  /** The process at the other end has died: the client's TCP notices sooner or later. */
  instanceDied(instance: SimInstance): void {
    const { connection } = this;
    if (connection?.instance !== instance) return;
    this.world.loop.after(this.world.clients, this.world.random.next() * DEAD_MS_MAX, () => {
      if (this.connection === connection) this.disconnect(BACKOFF_MS_MAX);
    });
  }

  receive(connection: Connection, arrival: Arrival): void {
    if (this.connection !== connection || this.isDone) return;
    this.heardAt = this.world.loop.now;
    this.world.hooks.onArrival?.(this, arrival);
    switch (arrival.name) {
      case 'fragment': return this.fragment(arrival);
      case 'rewind': return this.rewind(arrival.epoch, arrival.cursor);
      case 'final': return this.final(arrival.final, arrival.cursor);
      case 'trouble': return this.trouble(arrival.code);
      case 'closed': return this.closed();
      default:
        this.check(!this.isFinal, `${arrival.name} after final`);
        this.check(this.isLost !== (arrival.name === 'lost') || arrival.name === 'resumed', `${arrival.name} twice`);
        this.isLost = arrival.name === 'lost';
    }
  }

  get content(): NaiveFragment[] {
    return this.stream.contents.get(this.rewoundTo)!;
  }

  /** At the end: everything, once, and the same end as everyone. */
  checkWhole(): void {
    if (this.isCutShort || (this.stream.isDeleted && !this.isFinal)) return;
    if (this.world.oracle.damaged.has(this.options.streamNo)) return;
    this.check(this.isFinal, `no final event; it is at ${this.cursor}, the stream is ${this.stream.final?.status} at ${this.stream.content.length}`);
    this.check(this.sequence === this.stream.content.length, `has ${this.sequence} of ${this.stream.content.length} fragments`);
    this.check(this.rewoundTo === this.stream.generation, `has content of epoch ${this.rewoundTo} instead of ${this.stream.generation}`);
  }

  private get stream(): NaiveStream {
    return this.world.oracle.stream(this.options.streamNo)!;
  }

  private fragment({ from, to, lane, payload, cursor }: Extract<Arrival, { name: 'fragment' }>): void {
    this.check(!this.isFinal, `fragment ${from}–${to} after final`);
    if (this.cursor === null) this.rewoundTo = this.generationOf(parseCursor(cursor).epoch);
    this.check(from === this.sequence + 1 && to >= from, `[WATCH-1] fragments ${from}–${to} came where ${this.sequence + 1} was expected`);
    const expected = this.content.slice(from - 1, to);
    this.check(expected.length === to - from + 1, `fragments ${from}–${to} are not in the log: it has ${this.content.length}`);
    const bytes = Buffer.concat(expected.map((fragment) => fragment.payload));
    this.check(bytes.equals(payload), `fragments ${from}–${to} are ${payload} instead of ${bytes}`);
    this.check(expected.every((fragment) => fragment.lane === lane), `[WATCH-3] fragments ${from}–${to} are merged across lanes`);
    const { epoch } = expected.at(-1)!;
    this.check(expected.every((fragment) => fragment.epoch === epoch), `[WATCH-3] fragments ${from}–${to} are merged across epochs`);
    this.check(cursor === formatCursor(epoch, to), `cursor ${cursor} instead of ${formatCursor(epoch, to)}`);
    this.sequence = to;
    this.cursor = cursor;
    this.counts.fragments += expected.length;
  }

  private rewind(epoch: number, cursor: string): void {
    this.check(!this.isFinal, 'rewind after final');
    // [JUDGE-6] Only where an attempt kept nothing, and never back.
    this.check(this.stream.contents.has(epoch) && epoch > 1, `a rewind to epoch ${epoch}, which kept what was there`);
    this.check(this.cursor === null || epoch > this.rewoundTo, `a rewind to epoch ${epoch} at epoch ${this.rewoundTo}`);
    this.rewoundTo = epoch;
    this.sequence = 0;
    this.cursor = cursor;
    this.counts.rewinds += 1;
  }

  private final(final: FinalFacts, cursor: string): void {
    this.check(!this.isFinal, 'two final events');
    if (this.cursor === null) this.rewoundTo = this.stream.generation;
    this.check(final.sequence === this.sequence, `a final event at ${final.sequence}, and ${this.sequence} fragments came`);
    this.world.oracle.checkFinal(this.options.streamNo, final, this.options.name);
    this.isFinal = true;
    this.cursor = cursor;
    this.world.note(`${this.options.name} has the final event: ${final.status} ${cursor}`);
  }

  private closed(): void {
    if (this.isFinal) this.finish();
    else this.disconnect(BACKOFF_MS_MAX);
  }

  private finish(): void {
    this.isDone = true;
    this.connection?.drop();
    this.connection = null;
  }

  private trouble(code: ErrorCode): void {
    if (this.world.isExpected(this.options.streamNo, code)) {
      this.isCutShort = true;
      return this.finish();
    }
    if (code === 'STREAM_GONE' || code === 'STREAM_NOT_FOUND') {
      this.check(this.stream.isDeleted, `${code}, and it is not deleted`);
      return this.finish();
    }
    this.check(PASSING.includes(code), `${code} at ${this.cursor} from ${this.connection?.instance.name}`);
    this.disconnect(BACKOFF_MS_MAX);
  }

  private disconnect(backoffMs: number): void {
    this.connection?.drop();
    this.connection = null;
    this.connectAfter(this.world.random.next() * backoffMs);
  }

  private connectAfter(ms: number): void {
    const { loop, clients, random } = this.world;
    loop.after(clients, ms, () => {
      if (this.isDone || this.connection !== null) return;
      const live = this.world.instances.filter(({ process }) => !process.isDead);
      if (live.length === 0) return this.connectAfter(BACKOFF_MS_MAX);
      const instance = random.pick(live);
      const connection = new Connection(this.world, instance, this);
      this.connection = connection;
      this.isLost = false;
      this.heardAt = loop.now;
      this.counts.connects += 1;
      const { cursor } = this;
      loop.after(instance.process, instance.log.networkMs(), () => this.world.guard(connection.serve(cursor)));
    });
  }

  /** A client that hears nothing for long goes elsewhere: SSE has keep-alives, and a process may hang. */
  private watchdog(): void {
    const { loop, clients } = this.world;
    loop.after(clients, SILENT_MS / 2, () => {
      if (this.isDone) return;
      const isStuck = this.connection !== null && (this.connection.instance.process.isPaused || this.connection.instance.process.isDead);
      if (isStuck && loop.now - this.heardAt > SILENT_MS) this.disconnect(BACKOFF_MS_MAX);
      this.watchdog();
    });
  }

  private generationOf(epoch: number): number {
    return Math.max(...[...this.stream.contents.keys()].filter((began) => began <= epoch));
  }

  private check(isRight: boolean, text: string): void {
    if (!isRight) throw new Violation(`${this.options.name} on ${this.options.streamNo}: ${text}`);
  }
}

export type { Arrival };
export { isSame };
