import { compareCursors, cursorText, StreamError } from '@rivulet/protocol';
import type { Cursor } from '@rivulet/protocol';
import { generationOf } from './cold-reader';
import type { SessionEntry } from './cursor-fold';
import type { CursorTable } from './cursor-table';
import type { DeliveryMetrics } from './delivery-metrics';
import { placeOf } from './reader';
import type { Place } from './reader';
import type { StreamEntry } from './stream-source';
import type { Subscription } from './subscription';
import type { Time, Timer } from './time';

export interface NamedSessionOptions {
  table: CursorTable;
  streamNo: string;
  session: string;
  /** Random: by it the session knows whether the name is still its own. */
  connection: string;
  /** Fragments beyond the confirmed cursor; none: no bound. */
  window?: number;
  confirmMs: number;
  time: Time;
  metrics: Pick<DeliveryMetrics, 'probed' | 'resent' | 'taken'>;
  release(): void;
}

/** A session that never confirms gets its unconfirmed part again ever more rarely, up to this many times confirmMs. */
const WAIT_FACTOR_MAX = 16;

/**
 * The named part of one subscription [WATCH-6]: what it may be sent, given what it confirmed, and what happens when it does not confirm.
 * All it knows of confirmations comes from the fold, so it does not matter at which instance they were made.
 *
 * nothing unconfirmed (no timer) → waiting (delivered, timer) → probed (told what is confirmed, timer) → sent again from there → waiting,
 * twice as long. A confirmation that gets further begins anew from any of them. A newer connection of the name, or stop, ends it.
 */
export class NamedSession {
  private subscription: Subscription | null = null;
  private probe: (confirmed: string | null) => void = () => undefined;
  private stopListening: () => void = () => undefined;
  private timer: Timer | null = null;
  private waitMs: number;
  private isProbed = false;
  private isStopped = false;
  /** Furthest confirmation known; kept here too, so that it never goes back. */
  private confirmed: Cursor | null;
  /** Up to here it was sent before: what is sent again ends there, so that nothing straddles what the reader has. */
  private resent: { generation: number; sequence: number } | null = null;

  constructor(private readonly options: NamedSessionOptions) {
    const { table, streamNo, session, confirmMs } = options;
    this.waitMs = confirmMs;
    this.confirmed = table.fold.find(streamNo, session)?.confirmed ?? null;
  }

  /** null: nothing. */
  get confirmedCursor(): string | null {
    return this.confirmed === null ? null : cursorText(this.confirmed);
  }

  get isTaken(): boolean {
    const { table, streamNo, session, connection } = this.options;
    const holder = table.fold.find(streamNo, session)?.connection ?? '';
    return holder !== '' && holder !== connection;
  }

  takenError(): StreamError {
    const { streamNo, session, metrics } = this.options;
    metrics.taken();
    return new StreamError('SESSION_TAKEN', { streamNo, session });
  }

  /** @param probe tells the reader what is confirmed, so that it confirms the rest */
  start(subscription: Subscription, probe: (confirmed: string | null) => void): void {
    const { table, streamNo, session } = this.options;
    this.subscription = subscription;
    this.probe = probe;
    this.stopListening = table.listen(streamNo, session, (entry) => this.changed(entry));
    subscription.allow(this.last(subscription));
    // Between the attach and now.
    if (this.isTaken) return subscription.fail(this.takenError());
    // It has more than it confirmed from a connection before, and perhaps no credit for anything else.
    if (this.isUnconfirmed(subscription)) this.wait();
  }

  /** The subscription was given something. */
  delivered(): void {
    const { subscription } = this;
    if (subscription === null || this.isStopped) return;
    subscription.allow(this.last(subscription));
    if (this.timer === null && this.isUnconfirmed(subscription)) this.wait();
  }

  /** Idempotent. */
  stop(): void {
    if (this.isStopped) return;
    this.isStopped = true;
    this.timer?.cancel();
    this.stopListening();
    this.options.release();
  }

  private changed(entry: SessionEntry): void {
    const { subscription } = this;
    if (subscription === null || this.isStopped) return;
    if (this.isTaken) return subscription.fail(this.takenError());
    const { confirmed } = entry;
    if (confirmed === null || (this.confirmed !== null && compareCursors(confirmed, this.confirmed) <= 0)) return;
    this.confirmed = confirmed;
    this.waitMs = this.options.confirmMs;
    this.isProbed = false;
    this.timer?.cancel();
    this.timer = null;
    if (this.isUnconfirmed(subscription)) this.wait();
    subscription.allow(this.last(subscription));
    subscription.pump();
  }

  private wait(): void {
    this.timer = this.options.time.after(this.waitMs, () => {
      this.timer = null;
      if (this.subscription !== null && !this.isStopped) this.noProgress(this.subscription);
    });
  }

  private noProgress(subscription: Subscription): void {
    if (!this.isUnconfirmed(subscription)) return;
    // What it should confirm is still on its way, or being read: sending it again would only make more of it.
    if (!subscription.isWritable || subscription.isReading) this.waitLonger();
    else if (!this.isProbed) {
      this.isProbed = true;
      this.options.metrics.probed();
      this.probe(this.confirmedCursor);
      this.wait();
    } else {
      this.isProbed = false;
      this.waitLonger();
      this.resend(subscription);
    }
  }

  private waitLonger(): void {
    this.waitMs = Math.min(this.waitMs * 2, this.options.confirmMs * WAIT_FACTOR_MAX);
    this.wait();
  }

  private resend(subscription: Subscription): void {
    const { reader, entry } = subscription;
    const generation = generationOf(entry.state);
    if (reader.generation !== generation) return; // about to be told `rewind`
    this.options.metrics.resent();
    const known = this.resent?.generation === generation ? this.resent.sequence : 0;
    this.resent = { generation, sequence: Math.max(known, reader.at) };
    reader.placeAt(this.confirmedPlace(entry));
    subscription.allow(this.last(subscription));
    subscription.pump();
  }

  private isUnconfirmed({ reader, entry }: Subscription): boolean {
    return reader.at > this.confirmedPlace(entry).sequence;
  }

  /** Fragments above this sequence wait. */
  private last({ reader, entry }: Subscription): number {
    const { window } = this.options;
    const credit = window === undefined ? Number.MAX_SAFE_INTEGER : this.confirmedPlace(entry).sequence + window;
    const { resent } = this;
    const isAgain = resent !== null && resent.generation === reader.generation && resent.sequence > reader.at;
    return isAgain ? Math.min(credit, resent.sequence) : credit;
  }

  /** Where the confirmed cursor stands in the present content: at its start when it is of an older one. */
  private confirmedPlace(entry: StreamEntry): Place {
    const generation = generationOf(entry.state);
    const start: Place = { generation, sequence: 0, isFinished: false };
    if (this.confirmed === null) return start;
    try {
      return { ...start, sequence: placeOf(entry, cursorText(this.confirmed)).sequence };
    } catch (error) {
      if (!(error instanceof StreamError)) throw error;
      // Confirmed at an instance that has folded more: all there is here.
      return { ...start, sequence: entry.state.next - 1 };
    }
  }
}
