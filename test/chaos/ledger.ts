/** What happened: which fragments were acknowledged when, what producers were told, what sessions were shown. */
import type { VerdictReply } from '@rivulet/protocol';
import type { AcknowledgedRun, Sealed } from '../support/history';
import type { SessionRecord } from '../support/session-record';
import { payloadText } from './payload.cjs';

/** Acknowledgements closer than this count as one moment, ms. */
const MOMENT_MS = 10;
const BREACHES_MAX = 50;

interface Moment { epoch: number; sequence: number; at: number }

/** One stream as its producers know it. */
export class StreamLedger {
  readonly runs: AcknowledgedRun[] = [];
  sealed: Sealed | null = null;
  private readonly moments: Moment[] = [];

  constructor(private readonly ledger: Ledger, readonly streamNo: string, readonly kind: string, readonly label: string) {}

  payload(epoch: number, sequence: number): string {
    return payloadText(this.label, epoch, sequence);
  }

  /** Everything from..to of an attempt is durable. */
  acknowledge(epoch: number, from: number, to: number): void {
    if (to < from) return;
    const last = this.runs.at(-1);
    if (last?.epoch === epoch && last.to + 1 >= from) {
      if (to <= last.to) return;
      this.ledger.acknowledged += to - last.to;
      last.to = to;
    } else {
      this.ledger.acknowledged += to - from + 1;
      const payloadOf = (sequence: number): Buffer => Buffer.from(this.payload(epoch, sequence));
      this.runs.push({ streamNo: this.streamNo, epoch, from, to, payloadOf });
    }
    const now = performance.now();
    const moment = this.moments.at(-1);
    if (!moment || moment.epoch !== epoch || now - moment.at >= MOMENT_MS) this.moments.push({ epoch, sequence: to, at: now });
  }

  /** @returns when something beyond this place was acknowledged for the first time, performance.now ms; Infinity when nothing was */
  acknowledgedAfter(epoch: number, sequence: number): number {
    let low = 0;
    let high = this.moments.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      const moment = this.moments[middle]!;
      if (moment.epoch > epoch || (moment.epoch === epoch && moment.sequence > sequence)) high = middle;
      else low = middle + 1;
    }
    return this.moments[low]?.at ?? Infinity;
  }

  seal(verdict: VerdictReply, digest = ''): void {
    const { status, sequence } = verdict;
    if (status !== 'PENDING') this.sealed = { streamNo: this.streamNo, status, sequence, digest };
  }
}

/** A session from its first to its last event. */
export interface SessionEntry {
  record: SessionRecord;
  kind: string;
  startedAt: number;
  endedAt: number;
  /** Waits of 50 ms and more for something that was acknowledged already. */
  pauses: { from: number; to: number }[];
}

export class Ledger {
  readonly streams: StreamLedger[] = [];
  readonly sessions: SessionEntry[] = [];
  readonly breaches: string[] = [];
  acknowledged = 0;
  delivered = 0;
  zombiesFenced = 0;
  pipesBroken = 0;

  open(streamNo: string, kind: string, label: string): StreamLedger {
    const stream = new StreamLedger(this, streamNo, kind, label);
    this.streams.push(stream);
    return stream;
  }

  breach(what: string): void {
    if (this.breaches.length < BREACHES_MAX) this.breaches.push(what);
  }

  get reconnects(): number {
    return this.sessions.reduce((sum, { record }) => sum + Math.max(0, record.connections - 1), 0);
  }

  get openSessions(): number {
    return this.sessions.filter(({ endedAt }) => endedAt === Infinity).length;
  }
}
