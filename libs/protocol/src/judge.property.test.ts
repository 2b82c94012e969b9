import fc from 'fast-check';
import { crc32 } from 'node:zlib';
import { arbitraryLog, arbitraryWrites, foldLog } from '../../../test/support/arbitrary-log';
import type { Entry } from '../../../test/support/arbitrary-log';
import { Fold, STREAM_NO, beat, checksumOf, open, opened, unnumbered } from '../../../test/support/records';
import { judge } from './judge';
import { PositionIndex, stateAt } from './positions';
import { decodeRecord, encodeRecord } from './record-codec';
import type { AppendRecord, LogRecord } from './records';
import type { Effect, StreamState } from './state';
import { cloneState, decodeState, encodeState, equalForCheckpoint, heldOffsets, restoreHeld } from './state-codec';

// fast-check prints the seed and the shrunk example of a failure.
const RUNS = { numRuns: 400 };

test('[JUDGE-5] any interleaving, duplication and re-packing of the same writes gives the same content', () => {
  fc.assert(fc.property(arbitraryWrites, ({ fragments, log }) => {
    const fold = opened().push(...log);
    const text = fragments.map((fragment) => fragment.text).join('');
    expect(fold.fragments.map(({ lane, payload }) => ({ lane, text: payload.toString() }))).toEqual(fragments);
    expect(fold.known.final).toMatchObject({
      status: 'ended', reason: '', sequence: fragments.length, bytes: Buffer.byteLength(text), checksum: checksumOf(text),
    });
    expect(fold.verdicts.filter(({ kind, outcome }) => kind === 'end' && outcome === 'accepted')).toHaveLength(2);
  }), RUNS);
});

test('[JUDGE-4] resends and other packs of unnumbered writes add nothing', () => {
  const write = fc.record({ writer: fc.constantFrom('v', 'w', 'x'), size: fc.integer({ min: 1, max: 4 }), resend: fc.nat({ max: 6 }) });
  fc.assert(fc.property(fc.array(write, { maxLength: 30 }), (writes) => {
    const sent = new Map<string, string[]>();
    const expected: string[] = [];
    const fold = opened();
    for (const { writer, size, resend } of writes) {
      const texts = sent.get(writer) ?? [];
      sent.set(writer, texts);
      for (let index = 0; index < size; index++) {
        texts.push(`${writer}${texts.length + 1};`);
        expected.push(texts.at(-1)!);
      }
      // The new ones travel with a tail of the old ones, as after a time-out.
      const from = Math.max(0, texts.length - size - resend);
      fold.push(unnumbered(writer, from + 1, texts.slice(from)));
    }
    expect(fold.text).toBe(expected.join(''));
    expect(fold.known.next).toBe(expected.length + 1);
  }), RUNS);
});

/** As an owner does it: JSON, then the held payloads from the log. */
function restart(state: StreamState, log: readonly Entry[]): StreamState {
  const restored = decodeState(JSON.parse(JSON.stringify(encodeState(state))));
  for (const offset of heldOffsets(restored)) {
    const { record } = log.find((entry) => entry.offset === offset)!;
    restoreHeld(restored, record as AppendRecord, offset);
  }
  return restored;
}

test('[OWN-3] a checkpoint and the rest equal the whole fold, wherever it is split and however often', () => {
  fc.assert(fc.property(arbitraryLog, fc.array(fc.nat({ max: 60 }), { maxLength: 4 }), (log, cuts) => {
    const whole = foldLog(undefined, log);
    let state: StreamState | undefined;
    const effects: [number, Effect][] = [];
    let from = 0;
    for (const to of [...cuts.map((cut) => 1 + (cut % log.length)), log.length].sort((a, b) => a - b)) {
      const part = foldLog(state, log.slice(from, to));
      effects.push(...part.effects);
      state = restart(part.state, log);
      from = to;
    }
    expect(effects).toEqual(whole.effects);
    expect(encodeState(state!)).toEqual(encodeState(whole.state));
  }), RUNS);
});

test('[OWN-3] [JUDGE-1] a replay that skips the beats reaches an equal checkpoint and the same content', () => {
  fc.assert(fc.property(arbitraryLog, fc.nat({ max: 60 }), (log, cut) => {
    const whole = foldLog(undefined, log);
    const to = 1 + (cut % log.length);
    const first = foldLog(undefined, log.slice(0, to));
    const rest = foldLog(restart(first.state, log), log.slice(to).filter(({ record }) => record.kind !== 'beat'));
    expect(equalForCheckpoint(rest.state, whole.state)).toBe(true);
    expect(forReaders([...first.effects, ...rest.effects])).toEqual(forReaders(whole.effects));
  }), RUNS);
});

test('[OWN-3] folding records again, from any earlier place on, changes nothing', () => {
  fc.assert(fc.property(arbitraryLog, fc.nat({ max: 60 }), (log, from) => {
    const { state } = foldLog(undefined, log);
    const before = encodeState(state);
    const again = foldLog(state, log.slice(from % log.length).filter(({ offset }) => offset <= state.offset));
    expect(again.effects).toEqual([]);
    expect(encodeState(again.state)).toEqual(before);
  }), RUNS);
});

const isContent = ({ kind }: Effect): boolean => kind === 'fragments' || kind === 'attempt' || kind === 'final' || kind === 'deleted';
const forReaders = (effects: [number, Effect][]) => effects.filter(([, effect]) => isContent(effect));

test('[WATCH-1] a cold read from any judge position equals the live content', () => {
  fc.assert(fc.property(arbitraryLog, (log) => {
    const index = new PositionIndex();
    let state: StreamState | undefined;
    for (const entry of log) {
      ({ state } = foldLog(state, [entry]));
      index.offer(state);
    }
    const live = foldLog(undefined, log);
    for (const position of index.all) {
      const { streamNo, open: facts, openedAt, openedOffset, attempts } = live.state;
      const cold = stateAt({ streamNo, open: facts, openedAt, openedOffset }, position, attempts);
      const rest = foldLog(cold, log.filter(({ offset, record }) => offset > position.offset && record.kind !== 'beat'));
      expect(forReaders(rest.effects)).toEqual(forReaders(live.effects).filter(([offset]) => offset > position.offset));
      expect(equalForCheckpoint(rest.state, live.state)).toBe(true);
    }
  }), RUNS);
});

test('[WATCH-1] what follows a cursor is read whole from the position the index gives for it', () => {
  fc.assert(fc.property(arbitraryLog, (log) => {
    const index = new PositionIndex();
    let state: StreamState | undefined;
    // Every fragment of the content that stands, with the epoch readers saw it in.
    let content: { epoch: number; sequence: number; payload: Uint8Array }[] = [];
    for (const entry of log) {
      const folded = foldLog(state, [entry]);
      state = folded.state;
      index.offer(state);
      content = follow(content, folded.effects);
    }
    const { streamNo, open: facts, openedAt, openedOffset, attempts, epoch } = state!;
    for (let sequence = 0; sequence < content.length; sequence++) {
      const position = index.at(epoch, sequence)!;
      expect(position.next).toBeLessThanOrEqual(sequence + 1);
      const cold = stateAt({ streamNo, open: facts, openedAt, openedOffset }, position, attempts);
      const rest = foldLog(cold, log.filter(({ offset, record }) => offset > position.offset && record.kind !== 'beat'));
      expect(follow([], rest.effects).filter((one) => one.sequence > sequence)).toEqual(content.slice(sequence));
    }
  }), { numRuns: 100 });
});

type Content = { epoch: number; sequence: number; payload: Uint8Array }[];
function follow(content: Content, effects: [number, Effect][]): Content {
  let followed = [...content];
  for (const [, effect] of effects) {
    if (effect.kind === 'attempt' && effect.keep === 'none') followed = [];
    if (effect.kind !== 'fragments') continue;
    effect.payloads.forEach((payload, index) => followed.push({ epoch: effect.epoch, sequence: effect.firstSequence + index, payload }));
  }
  return followed;
}

// ---- anything at all ----
const extreme = fc.oneof(
  fc.nat({ max: 4 }), fc.constantFrom(2 ** 31, 2 ** 32 - 1, 2 ** 53 - 1, 2 ** 53 - 2), fc.constantFrom(NaN, Infinity, -1, 0.5, 2 ** 64, -0),
);
const text = fc.oneof(fc.constantFrom('', 'a', 'attempt-2', '__proto__'), fc.string({ maxLength: 4 }));
const payloads = fc.array(fc.uint8Array({ maxLength: 5 }), { maxLength: 5 });
const metadata = fc.dictionary(text, fc.jsonValue({ maxDepth: 2 }), { maxKeys: 2 });
const keep = fc.constantFrom<'all' | 'none'>('all', 'none');
const limits = fc.record({
  heldFragmentsMax: extreme, heldBytesMax: extreme, gapMsMax: extreme, attemptsMax: extreme,
  fragmentBytesMax: extreme, streamBytesMax: extreme,
});
const anyRecord: fc.Arbitrary<LogRecord> = fc.oneof(
  fc.record({ limits, ttlMs: extreme, retentionMs: extreme, metadata }).map((odd) => open({}, odd)),
  fc.constant(open()),
  fc.record({
    kind: fc.constant('append' as const), epoch: extreme, firstSeq: extreme, writer: text, n: extreme, writerRun: text, lane: text, payloads,
  }),
  fc.record({ kind: fc.constant('retry' as const), epoch: extreme, attemptId: text, keep, reason: text }),
  fc.record({
    kind: fc.constant('end' as const), epoch: extreme, lastSeq: fc.option(extreme), checksum: fc.option(extreme), digest: text, metadata,
  }),
  fc.record({ kind: fc.constant('abort' as const), epoch: extreme, code: text, message: text }),
  fc.record({ kind: fc.constant('cancel' as const), by: text, reason: text }),
  extreme.map((epoch) => beat(epoch)),
  fc.record({ kind: fc.constant('lapse' as const), epoch: extreme, activityOffset: extreme }),
  fc.record({ kind: fc.constant('gap' as const), epoch: extreme, next: extreme }),
  fc.constantFrom<LogRecord>({ kind: 'expire' }, { kind: 'delete' }),
);

test('[OWN-7] the judge throws on no record, whatever its fields and the order', () => {
  fc.assert(fc.property(fc.array(fc.tuple(anyRecord, extreme), { maxLength: 30 }), (records) => {
    const fold = new Fold();
    for (const [record, timestamp] of records) fold.pushAt(timestamp, record);
  }), RUNS);
});

test('[OWN-7] what can be decoded can be judged, and the state it leads to can be written and read', () => {
  fc.assert(fc.property(fc.array(fc.tuple(anyRecord, extreme), { maxLength: 30 }), (records) => {
    const fold = new Fold();
    for (const [record, timestamp] of records) {
      const decoded = decodedOr(record);
      if (!decoded) continue;
      fold.pushAt(timestamp, decoded);
      if (fold.state) holdsInvariants(fold.state);
    }
  }), RUNS);
});

test('[OWN-7] arbitrary bytes are decoded and judged, or refused with an Error', () => {
  const valid = anyRecord.map((record) => (decodedOr(record) ? encodeRecord(record) : new Uint8Array()));
  const bent = fc.tuple(valid, fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 3 }), fc.nat()).map(([bytes, flips, length]) => {
    const copy = Uint8Array.from(bytes.subarray(0, length % (bytes.length + 1) || bytes.length));
    for (const [place, value] of flips) if (copy.length > 0) copy[place % copy.length] = value;
    return copy;
  });
  fc.assert(fc.property(fc.array(fc.oneof(bent, fc.uint8Array({ maxLength: 60 })), { maxLength: 20 }), (values) => {
    const fold = opened();
    for (const bytes of values) {
      const record = recordIn(bytes);
      if (record) fold.push(record);
    }
    holdsInvariants(fold.known);
  }), RUNS);
});

function decodedOr(record: LogRecord): LogRecord | null {
  return recordIn(encodeRecord(record));
}

function recordIn(bytes: Uint8Array): LogRecord | null {
  try {
    return decodeRecord(bytes);
  } catch (error) {
    expect(error).toBeInstanceOf(Error);
    return null;
  }
}

function holdsInvariants(state: StreamState): void {
  expect(state.final === null).toBe(state.status === 'open');
  expect(state.held.every(({ sequence }, index) => sequence > (state.held[index - 1]?.sequence ?? state.next))).toBe(true);
  expect(state.heldBytes).toBe(state.held.reduce((sum, { bytes }) => sum + bytes, 0));
  if (state.pendingEnd) expect(state.next).toBeLessThanOrEqual(state.pendingEnd.lastSeq);
  expect(state.gapSince !== null).toBe(state.held.length > 0 || state.pendingEnd !== null);
  expect(equalForCheckpoint(decodeState(JSON.parse(JSON.stringify(encodeState(state)))), state)).toBe(true);
}

test('[OWN-2] two who fold the same records reach the same state', () => {
  fc.assert(fc.property(arbitraryLog, (log) => {
    const one = foldLog(undefined, log);
    const other = foldLog(undefined, log.map((entry) => ({ ...entry, record: decodeRecord(encodeRecord(entry.record)) })));
    expect(encodeState(other.state)).toEqual(encodeState(one.state));
    const copy = cloneState(one.state);
    judge(copy, STREAM_NO, { kind: 'cancel', by: '', reason: '' }, copy.offset + 1, 0, crc32);
    expect(encodeState(one.state)).toEqual(encodeState(other.state));
  }), RUNS);
});
