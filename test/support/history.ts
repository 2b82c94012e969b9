/**
 * The history checker: what was acknowledged and accepted must be delivered, in order, once, the same everywhere.
 * It shares no code with the judge: `naiveContent` is the simplest reading of the rules that can be written, and history.test.ts
 * feeds the checker histories that must fail.
 */
import { createHash } from 'node:crypto';
import type { LogRecord, ReaderEvent } from '@rivulet/protocol';

export interface LoggedRecord { offset: number; key: string; record: LogRecord }

/** One acknowledged fragment of a numbered stream. */
export interface Acknowledged { streamNo: string; epoch: number; sequence: number; payload: Buffer }

/** Everything one session was shown of one stream, in order of arrival, over all its reconnects. */
export interface Observed {
  session: string;
  streamNo: string;
  events: ReaderEvent[];
  /** Resolves when the session has seen the final event or given up. */
  finished?: Promise<void>;
}

export interface NaiveContent {
  /** payload by sequence, index 0 = sequence 1 */
  fragments: Buffer[];
  /** epoch that wrote each of them */
  epochs: number[];
  status: 'open' | 'ended' | 'failed' | 'cancelled';
}

/** The content of one numbered stream after its records, by the plainest rules: a map of what came, taken in sequence. */
export function naiveContent(records: LoggedRecord[], streamNo: string): NaiveContent {
  let epoch = 1;
  let fragments: Buffer[] = [];
  let epochs: number[] = [];
  let waiting = new Map<number, Buffer>();
  let lastSeq: number | null = null;
  let status: NaiveContent['status'] = 'open';
  for (const { key, record } of records) {
    if (key !== streamNo || status !== 'open') continue;
    if (record.kind === 'append' && record.epoch === epoch) {
      record.payloads.forEach((payload, index) => {
        const sequence = record.firstSeq + index;
        if (sequence > fragments.length && !waiting.has(sequence)) waiting.set(sequence, Buffer.from(payload));
      });
      for (let next = waiting.get(fragments.length + 1); next; next = waiting.get(fragments.length + 1)) {
        waiting.delete(fragments.length + 1);
        fragments.push(next);
        epochs.push(epoch);
      }
    } else if (record.kind === 'retry' && record.epoch === epoch + 1) {
      epoch = record.epoch;
      waiting = new Map();
      lastSeq = null;
      if (record.keep === 'none') { fragments = []; epochs = []; }
    } else if (record.kind === 'end' && record.epoch === epoch) {
      lastSeq = record.lastSeq ?? fragments.length;
    } else if (record.kind === 'abort' && record.epoch === epoch) {
      status = 'failed';
    } else if (record.kind === 'cancel') {
      status = 'cancelled';
    }
    if (lastSeq !== null && fragments.length >= lastSeq && status === 'open') status = 'ended';
  }
  return { fragments, epochs, status };
}

export const digestOf = (payloads: Iterable<Uint8Array>): string => {
  const hash = createHash('sha256');
  for (const payload of payloads) hash.update(payload);
  return hash.digest('hex');
};

const payloadOf = (event: ReaderEvent & { type: 'fragment' }): Buffer => {
  if (event.text !== undefined) return Buffer.from(event.text);
  if (event.base64 !== undefined) return Buffer.from(event.base64, 'base64');
  return Buffer.from((event.items ?? []).map((value) => JSON.stringify(value)).join(''));
};

/** What a session holds in the end, and every breach of order on the way. */
export interface Replayed { bytes: Buffer; last: number; isFinal: boolean; breaches: string[] }

export function replaySession({ session, streamNo, events }: Observed): Replayed {
  const breaches: string[] = [];
  let pieces: Buffer[] = [];
  let last = 0;
  let isFinal = false;
  const where = `${session} on ${streamNo}`;
  for (const event of events) {
    if (isFinal && event.type !== 'stream') breaches.push(`${where}: ${event.type} after final`);
    if (event.type === 'rewind') { pieces = []; last = 0; }
    if (event.type === 'fragment') {
      if (event.from <= last) breaches.push(`${where}: duplicate or reordered, ${event.from}–${event.to} after ${last}`);
      else if (event.from > last + 1) breaches.push(`${where}: gap, ${event.from} after ${last}`);
      pieces.push(payloadOf(event));
      last = event.to;
    }
    if (event.type === 'final') isFinal = true;
  }
  return { bytes: Buffer.concat(pieces), last, isFinal, breaches };
}

/** @returns every breach found; an empty list is a proof for this history */
export function checkHistory(history: { records: LoggedRecord[]; acknowledged: Acknowledged[]; observed: Observed[] }): string[] {
  const breaches: string[] = [];
  const contents = new Map<string, NaiveContent>();
  const contentOf = (streamNo: string): NaiveContent => {
    let content = contents.get(streamNo);
    if (!content) contents.set(streamNo, content = naiveContent(history.records, streamNo));
    return content;
  };
  const logged = new Set<string>();
  for (const { key, record } of history.records) {
    if (record.kind !== 'append') continue;
    record.payloads.forEach((payload, index) => logged.add(`${key} ${record.epoch} ${record.firstSeq + index} ${digestOf([payload])}`));
  }
  for (const { streamNo, epoch, sequence, payload } of history.acknowledged) {
    if (!logged.has(`${streamNo} ${epoch} ${sequence} ${digestOf([payload])}`)) {
      breaches.push(`acknowledged but not in the log: ${streamNo} epoch ${epoch} sequence ${sequence}`);
    }
  }
  for (const observed of history.observed) {
    const { bytes, last, isFinal, breaches: own } = replaySession(observed);
    breaches.push(...own);
    const content = contentOf(observed.streamNo);
    const where = `${observed.session} on ${observed.streamNo}`;
    if (content.status !== 'open' && !isFinal) breaches.push(`${where}: no final event`);
    if (isFinal && last !== content.fragments.length) breaches.push(`${where}: saw ${last} of ${content.fragments.length} fragments`);
    if (digestOf([bytes]) !== digestOf(content.fragments.slice(0, last))) breaches.push(`${where}: other bytes than the log`);
  }
  return breaches;
}
