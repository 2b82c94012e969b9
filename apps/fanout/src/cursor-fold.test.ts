import fc from 'fast-check';
import { compareCursors, encodeAttached, encodeConfirmed, parseCursor, parseSessionKey, sessionKey } from '@rivulet/protocol';
import type { Cursor } from '@rivulet/protocol';
import type { StoredRecord } from '@rivulet/log';
import { CursorFold } from './cursor-fold';

const STREAMS = ['20d2125e6h820nmsma8x7sk8y9zj2htf', '20d2125e6h820nmsma8x7sk8y9zj2hta'];
type Write = { streamNo: string; session: string } & ({ cursor: Cursor } | { connection: string });
const cursors = fc.record({ epoch: fc.integer({ min: 1, max: 3 }), sequence: fc.nat(6), isFinal: fc.boolean() });
const pair = { streamNo: fc.constantFrom(...STREAMS), session: fc.constantFrom('a', 'b') };
/** A connection attaches once; what a resend does is a test of its own. */
const writes = fc.array(fc.oneof(
  { weight: 3, arbitrary: fc.record({ ...pair, cursor: cursors }) },
  { weight: 1, arbitrary: fc.record({ ...pair, connection: fc.uuid().map((reader) => `${reader}.1`) }) },
), { maxLength: 40 }) as fc.Arbitrary<Write[]>;

function recordOf(write: Write, offset: number, at?: number): StoredRecord {
  const value = 'cursor' in write ? encodeConfirmed({ cursor: write.cursor, at }) : encodeAttached(write);
  const key = sessionKey('cursor' in write ? 'confirmed' : 'attached', write.streamNo, write.session);
  return { key, value: Buffer.from(value), offset, timestamp: 1_000 + offset };
}

function foldOf(records: StoredRecord[]): CursorFold {
  const fold = new CursorFold();
  for (const record of records) fold.fold(record);
  return fold;
}

/** What readers, owners and lists go by. */
const factsOf = (fold: CursorFold): object => Object.fromEntries([...fold.streams].flatMap(([streamNo, sessions]) =>
  [...sessions].map(([session, { confirmed, confirmedAt, connection }]) => [`${streamNo}/${session}`, { confirmed, confirmedAt, connection }])));

/** What the owner appends, until there is nothing left to write. */
function rewritten(records: StoredRecord[]): StoredRecord[] {
  const fold = foldOf(records);
  const log = [...records];
  for (const { streamNo, session, confirmed, confirmedAt } of [...fold.shadowed]) {
    const record = recordOf({ streamNo, session, cursor: confirmed! }, log.length, confirmedAt);
    log.push(record);
    fold.fold(record);
  }
  expect(fold.shadowed.size).toBe(0);
  return log;
}

/** Of each key only the last value below an offset is left. */
const compacted = (log: StoredRecord[], below: number): StoredRecord[] =>
  log.filter((record, index) => index >= below || !log.slice(index + 1, below).some(({ key }) => key === record.key));

test('[WATCH-7] confirmed is the furthest cursor ever written, and when it was written first; the name is the newest attach\'s', () => {
  fc.assert(fc.property(writes, (all) => {
    const fold = foldOf(all.map((write, offset) => recordOf(write, offset)));
    for (const streamNo of STREAMS) {
      for (const session of ['a', 'b']) {
        const own = all.map((write, offset) => ({ write, offset }))
          .filter(({ write }) => write.streamNo === streamNo && write.session === session);
        const confirmed = own.flatMap(({ write, offset }) => ('cursor' in write ? [{ cursor: write.cursor, offset }] : []));
        const furthest = [...confirmed].sort((a, b) => compareCursors(b.cursor, a.cursor) || a.offset - b.offset)[0];
        const attached = own.flatMap(({ write }) => ('connection' in write ? [write.connection] : [])).at(-1) ?? '';
        const entry = fold.find(streamNo, session);
        expect([entry?.confirmed ?? null, entry?.connection ?? '']).toEqual([furthest?.cursor ?? null, attached]);
        if (furthest !== undefined) expect(entry?.confirmedAt).toBe(1_000 + furthest.offset);
      }
    }
  }));
});

test('[WATCH-7] compaction at any time after the owner has written again what it would lose loses nothing', () => {
  fc.assert(fc.property(writes, fc.array(fc.nat(100), { maxLength: 3 }), (all, cuts) => {
    let log: StoredRecord[] = [];
    const chunk = Math.max(1, Math.ceil(all.length / (cuts.length + 1)));
    for (let from = 0, turn = 0; from < all.length; from += chunk, turn += 1) {
      const offset = log.length;
      log = rewritten([...log, ...all.slice(from, from + chunk).map((write, index) => recordOf(write, offset + index))]);
      const below = Math.min(log.length, cuts[turn] ?? log.length);
      expect(factsOf(foldOf(compacted(log, below)))).toEqual(factsOf(foldOf(log)));
      log = compacted(log, below);
    }
  }));
});

test('[WATCH-6] an attach that lands late, as a resend or of a connection its reader has given up, takes the name from nobody', () => {
  const [streamNo, session] = [STREAMS[0]!, 'a'];
  const attach = (connection: string, offset: number): StoredRecord => recordOf({ streamNo, session, connection }, offset);
  const holderAfter = (...connections: string[]): string | undefined =>
    foldOf(connections.map(attach)).find(streamNo, session)?.connection;
  expect(holderAfter('reader-a.1', 'reader-b.1', 'reader-a.1')).toBe('reader-b.1');
  expect(holderAfter('reader-a.2', 'reader-a.1')).toBe('reader-a.2');
  expect(holderAfter('reader-a.9', 'reader-a.10')).toBe('reader-a.10');
  expect(holderAfter('reader-a.2', 'reader-b.1', 'reader-a.1')).toBe('reader-b.1');
  // It has come back since, so it is the newest.
  expect(holderAfter('reader-a.1', 'reader-b.1', 'reader-a.2')).toBe('reader-a.2');
});

test('tombstones of both keys leave nothing behind', () => {
  const [streamNo, session] = [STREAMS[0]!, 'a'];
  const fold = foldOf([recordOf({ streamNo, session, connection: 'reader-x.1' }, 0), recordOf({ streamNo, session, cursor: parseCursor('1.5') }, 1)]);
  for (const kind of ['confirmed', 'attached'] as const) fold.fold({ key: sessionKey(kind, streamNo, session), value: null, offset: 2, timestamp: 1 });
  expect([fold.size, fold.streams.size]).toEqual([0, 0]);
});

test('keys are those of a stream and a valid name; what is not ours throws and changes nothing', () => {
  expect(parseSessionKey(sessionKey('attached', STREAMS[0]!, 'user@x:1'))).toEqual({ kind: 'attached', streamNo: STREAMS[0], session: 'user@x:1' });
  for (const key of ['x', `${STREAMS[0]}/confirmed/`, `${STREAMS[0]}/confirmed/a b`, `${STREAMS[0]}/other/a`, `${STREAMS[0]}/confirmed/${'n'.repeat(129)}`]) {
    expect(parseSessionKey(key)).toBeNull();
  }
  const fold = new CursorFold();
  const key = sessionKey('confirmed', STREAMS[0]!, 'a');
  for (const value of ['', '{}', '{"cursor":"9"}', '{"cursor":"1.1","at":"x"}', 'null']) {
    expect(() => fold.fold({ key, value: Buffer.from(value), offset: 0, timestamp: 0 })).toThrow();
  }
  expect(fold.size).toBe(0);
});
