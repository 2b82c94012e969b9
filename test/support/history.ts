/**
 * The history checker: what was acknowledged and accepted must be delivered, in order, once, the same everywhere. It reads the log by
 * naive-judge.ts alone, and history.test.ts feeds it histories that must fail.
 */
import { createHash } from 'node:crypto';
import type { ReaderEvent } from '@rivulet/protocol';
import { NaiveStreams } from './naive-judge';
import type { LoggedRecord, NaiveStream } from './naive-judge';
import { SessionRecord } from './session-record';

/** One acknowledged fragment of a numbered stream. */
export interface Acknowledged { streamNo: string; epoch: number; sequence: number; payload: Buffer }
/** Many of them, whose payloads can be told again. */
export interface AcknowledgedRun { streamNo: string; epoch: number; from: number; to: number; payloadOf(sequence: number): Uint8Array }
/** What a producer was told about the end of its stream: the verdict. digest: SHA-256 of what it sent, '' when it does not know. */
export interface Sealed { streamNo: string; status: string; sequence: number; digest: string }

/** Everything one session was shown of one stream, in order of arrival, over all its reconnects. */
export interface Observed {
  session: string;
  streamNo: string;
  events: ReaderEvent[];
  /** Resolves when the session has seen the final event or given up. */
  finished?: Promise<void>;
}

export const digestOf = (payloads: Iterable<Uint8Array>): string => {
  const hash = createHash('sha256');
  for (const payload of payloads) hash.update(payload);
  return hash.digest('hex');
};

const payloadsOf = ({ content }: NaiveStream): Buffer[] => content.map(({ payload }) => payload);

/** Acknowledged fragments of one epoch of one stream that the log has not shown yet. */
class Awaited {
  private readonly missing = new Map<number, AcknowledgedRun>();

  add(run: AcknowledgedRun): void {
    for (let sequence = run.from; sequence <= run.to; sequence++) this.missing.set(sequence, run);
  }

  see(sequence: number, payload: Uint8Array): void {
    const run = this.missing.get(sequence);
    if (run && Buffer.compare(run.payloadOf(sequence), payload) === 0) this.missing.delete(sequence);
  }

  get sequences(): number[] {
    return [...this.missing.keys()];
  }
}

/** Takes the log record by record and says at the end what is wrong with the history. */
export class HistoryChecker {
  private readonly streams = new NaiveStreams();
  private readonly awaited = new Map<string, Awaited>();

  constructor(acknowledged: Iterable<AcknowledgedRun>) {
    for (const run of acknowledged) {
      const key = `${run.streamNo} ${run.epoch}`;
      if (!this.awaited.has(key)) this.awaited.set(key, new Awaited());
      this.awaited.get(key)!.add(run);
    }
  }

  /** In the order of the log. */
  add(logged: LoggedRecord): void {
    const { key, record } = logged;
    this.streams.add(logged);
    if (record.kind !== 'append') return;
    const awaited = this.awaited.get(`${key} ${record.epoch}`);
    record.payloads.forEach((payload, index) => awaited?.see(record.firstSeq + index, payload));
  }

  /** Fragments in the content of all streams. */
  get fragments(): number {
    return [...this.streams.values()].reduce((sum, { content }) => sum + content.length, 0);
  }

  /** @returns every breach found; an empty list is a proof for this history */
  finish(sessions: Iterable<SessionRecord>, sealed: Iterable<Sealed> = []): string[] {
    const breaches: string[] = [];
    for (const [key, { sequences }] of this.awaited) {
      const [streamNo, epoch] = key.split(' ');
      for (const sequence of sequences.slice(0, 3)) breaches.push(`acknowledged but not in the log: ${streamNo} epoch ${epoch} sequence ${sequence}`);
    }
    for (const verdict of sealed) breaches.push(...this.checkSealed(verdict));
    for (const session of sessions) breaches.push(...session.breaches, ...this.checkSession(session));
    return breaches;
  }

  private checkSealed({ streamNo, status, sequence, digest }: Sealed): string[] {
    const where = `the producer of ${streamNo}`;
    const stream = this.streams.get(streamNo);
    if (stream === undefined) return [`${where} was told ${status}, the log has no open record of it`];
    if (stream.status !== status) return [`${where} was told ${status}, the log says ${stream.status}`];
    if (stream.content.length !== sequence) return [`${where} was told ${sequence} fragments, the log has ${stream.content.length}`];
    const isOther = digest !== '' && digest !== digestOf(payloadsOf(stream));
    return isOther ? [`${where} sent other bytes than the log has`] : [];
  }

  private checkSession({ where, streamNo, isFinal, finalStatus, last, digest }: SessionRecord): string[] {
    const stream = this.streams.get(streamNo);
    if (stream === undefined) return [`${where}: the log has no open record of it`];
    const { status, content } = stream;
    const breaches: string[] = [];
    if (status !== 'open' && !isFinal) breaches.push(`${where}: no final event`);
    if (isFinal && finalStatus !== status) breaches.push(`${where}: final says ${finalStatus}, the log says ${status}`);
    if (isFinal && last !== content.length) breaches.push(`${where}: saw ${last} of ${content.length} fragments`);
    if (digest !== digestOf(payloadsOf(stream).slice(0, last))) breaches.push(`${where}: other bytes than the log`);
    return breaches;
  }
}

export function recordOf({ session, streamNo, events }: Observed): SessionRecord {
  const record = new SessionRecord(session, streamNo);
  for (const event of events) record.add(event);
  return record;
}

/** @returns every breach found; an empty list is a proof for this history */
export function checkHistory(history: {
  records: LoggedRecord[]; acknowledged: Acknowledged[]; observed: Observed[]; sealed?: Sealed[];
}): string[] {
  const runs = history.acknowledged.map(({ streamNo, epoch, sequence, payload }) => ({
    streamNo, epoch, from: sequence, to: sequence, payloadOf: () => payload,
  }));
  const checker = new HistoryChecker(runs);
  for (const record of history.records) checker.add(record);
  return checker.finish(history.observed.map(recordOf), history.sealed);
}
