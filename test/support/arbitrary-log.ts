import fc from 'fast-check';
import { crc32 } from 'node:zlib';
import { judge } from '@rivulet/protocol';
import type { Effect, LogRecord, StreamState } from '@rivulet/protocol';
import { STREAM_NO, abort, append, beat, cancel, checksumOf, end, open, retry } from './records';

export interface Entry { offset: number; timestamp: number; record: LogRecord }

/**
 * One step of a story, relative to where the stream stands when it is told: stories made of plain random records would be over
 * (failed, fenced) after a few of them and say nothing about the rest.
 */
type Step = Readonly<{ kind: string; a: number; b: number; c: number; jump: number; elapsed: number }>;

const LANES = ['', 'tool'];
const RUNS = ['', '', '', 'run'];

function recordOf({ kind, a, b, c }: Step, state: StreamState): LogRecord {
  const { epoch } = state;
  const payloads = Array.from({ length: 1 + (c % 4) }, (_, index) => `${a}.${b}.${c}.${index};`);
  const style = { epoch, lane: LANES[b % 2]!, writerRun: RUNS[c % 4]! };
  const isUnnumbered = state.numbering === 'unnumbered' || (state.numbering === 'undecided' && a === 3);
  switch (kind) {
    case 'append': // at next, some below, some above
      if (isUnnumbered) return append(0, payloads, { ...style, writer: `w${b % 10}`, n: Math.max(1, a + c) });
      return append(Math.max(1, state.next + [0, 0, 0, 0, -2, -1, 1, 2][a % 8]!), payloads, style);
    case 'fill': // exactly what is next
      if (isUnnumbered) return append(0, payloads.slice(0, 1), { ...style, writer: 'w0', n: 100 + state.next });
      return append(state.next, payloads.slice(0, 1), style);
    case 'stray': return append(state.next, payloads, { ...style, epoch: epoch + (a % 2 === 0 ? 1 : -1), writerRun: 'other' });
    case 'retry': return retry(epoch + 1 - (a % 3 === 0 ? 1 : 0), b % 2 === 0 ? 'all' : 'none', { attemptId: `attempt-${epoch + (c % 2)}` });
    case 'end': return end(a % 4 === 0 ? null : state.next - 1 + (b % 4), { epoch, digest: `${c % 2}` });
    case 'abort': return abort(epoch - (a % 3 === 0 ? 1 : 0), `CODE_${b % 2}`);
    case 'cancel': return cancel(`${a % 2}`);
    case 'beat': return beat(epoch - (a % 5 === 0 ? 1 : 0));
    case 'lapse': return { kind, epoch, activityOffset: state.activityOffset - (a % 3 === 0 ? 1 : 0) };
    case 'gap': return { kind, epoch, next: state.next + (a % 3) };
    case 'expire': return { kind };
    case 'delete': return { kind };
    default: return open();
  }
}

const WEIGHTS = {
  append: 120, fill: 60, stray: 2, beat: 8, retry: 6, end: 2, lapse: 4, gap: 1, open: 1, abort: 1, cancel: 1, expire: 2, delete: 3,
};
const count = fc.nat({ max: 15 });
const step: fc.Arbitrary<Step> = fc.record({
  kind: fc.oneof(...Object.entries(WEIGHTS).map(([kind, weight]) => ({ weight, arbitrary: fc.constant(kind) }))),
  a: count, b: count, c: count,
  jump: fc.integer({ min: 1, max: 60 }),
  elapsed: fc.oneof({ weight: 60, arbitrary: fc.integer({ min: -5, max: 50 }) }, { weight: 1, arbitrary: fc.constant(90_000_000) }),
});

/** The records of one stream from its open on, with the holes between offsets that other streams make. */
export const arbitraryLog: fc.Arbitrary<Entry[]> = fc.array(step, { maxLength: 60, size: 'max' }).map((steps) => {
  const first = open({ heldFragmentsMax: 6, heldBytesMax: 200, streamBytesMax: 2_000, attemptsMax: 5 });
  const log: Entry[] = [{ offset: 3, timestamp: 1_000, record: first }];
  let { state } = judge(undefined, STREAM_NO, first, 3, 1_000, crc32);
  for (const told of steps) {
    const previous = log.at(-1)!;
    const timestamp = Math.max(1, previous.timestamp + told.elapsed);
    const entry = { offset: previous.offset + told.jump, timestamp, record: recordOf(told, state!) };
    log.push(entry);
    ({ state } = judge(state, STREAM_NO, entry.record, entry.offset, entry.timestamp, crc32));
  }
  return log;
});

/** Folds records into a state; effects by offset, those of readers only (what sessions and cold reads are made of) when asked. */
export function foldLog(state: StreamState | undefined, log: readonly Entry[]): { state: StreamState; effects: [number, Effect][] } {
  const effects: [number, Effect][] = [];
  for (const { offset, timestamp, record } of log) {
    const judged = judge(state, STREAM_NO, record, offset, timestamp, crc32);
    state = judged.state;
    for (const effect of judged.effects) effects.push([offset, effect]);
  }
  if (!state) throw new Error('A log without an open.');
  return { state, effects };
}

/** A message in writes: fragments with their lanes, and how they were packed, repeated and mixed on their way into the log. */
export interface Writes { fragments: { lane: string; text: string }[]; log: LogRecord[] }

export const arbitraryWrites: fc.Arbitrary<Writes> = fc
  .array(fc.record({ lane: fc.constantFrom('', '', '', 'tool'), text: fc.string({ maxLength: 6, unit: 'binary' }) }), { maxLength: 30 })
  .chain((fragments) => {
    const size = fragments.length;
    // Every fragment at least once, alone, and any number of packs of any extent, in any order; the end, twice, anywhere.
    const packs = fc.array(fc.tuple(fc.nat(Math.max(0, size - 1)), fc.integer({ min: 1, max: 8 })), { maxLength: 20 });
    return packs.chain((extents) => {
      const content = fragments.map(({ text }) => text).join('');
      const last = end(size, { checksum: checksumOf(content) });
      const singles = fragments.map((_, index): [number, number] => [index, 1]);
      const appends = [...singles, ...(size === 0 ? [] : extents)].map(([from, extent]) => {
        const { lane } = fragments[from]!;
        let to = from;
        while (to < size && to < from + extent && fragments[to]!.lane === lane) to += 1;
        return append(from + 1, fragments.slice(from, to).map(({ text }) => text), { lane });
      });
      const records: LogRecord[] = [...appends, last, last];
      return fc.shuffledSubarray(records, { minLength: records.length }).map((log) => ({ fragments, log }));
    });
  });
