import { append, beat, end, opened, retry, unnumbered } from '../../../test/support/records';
import type { AppendRecord } from './records';
import { cloneState, decodeState, encodeState, equalForCheckpoint, heldOffsets, publicStatus, restoreHeld, summaryOf } from './state-codec';

const roundTrip = (state: Parameters<typeof encodeState>[0]) => decodeState(JSON.parse(JSON.stringify(encodeState(state))));

test('[OWN-3] a state comes back from JSON as it was, held fragments by (sequence, offset) without their payloads', () => {
  const fold = opened({}, { metadata: { a: { b: 1 } } })
    .push(append(1, 'a', { writerRun: 'r' }), append(4, ['d', 'e']), append(3, 'c'), end(6));
  const restored = roundTrip(fold.known);
  expect(restored.held.map(({ sequence, offset, payload }) => [sequence, offset, payload]))
    .toEqual([[3, 3, null], [4, 2, null], [5, 2, null]]);
  expect(heldOffsets(restored)).toEqual([2, 3]);
  restoreHeld(restored, append(4, ['d', 'e']), 2);
  restoreHeld(restored, append(3, 'c'), 3);
  expect(restored).toEqual(fold.known);
  expect(heldOffsets(restored)).toEqual([]);
});

test('[OWN-3] a held payload is taken only from the record it came in, and only when the size agrees', () => {
  const restored = roundTrip(opened().push(append(3, 'c')).known);
  restoreHeld(restored, append(3, 'c'), 7);
  restoreHeld(restored, append(3, 'cc'), 1);
  restoreHeld(restored, append(9, 'c') as AppendRecord, 1);
  expect(heldOffsets(restored)).toEqual([1]);
});

test('[OWN-3] an encoded state shares nothing the judge changes later', () => {
  const fold = opened().push(unnumbered('w', 1, 'a'), end(4));
  const encoded = encodeState(fold.known);
  const before = JSON.stringify(encoded);
  const clone = cloneState(fold.known);
  fold.push(end(4), unnumbered('v', 1, 'b'), retry(2));
  expect(JSON.stringify(encoded)).toBe(before);
  expect(JSON.stringify(encodeState(clone))).toBe(before);
});

test('[JUDGE-10] a state that cannot be read is an Error that names the field', () => {
  const good = JSON.parse(JSON.stringify(encodeState(opened().push(append(3, 'c'), end(5)).known))) as Record<string, unknown>;
  const bad: [unknown, RegExp][] = [
    [null, /object/], ['x', /object/], [[], /object/], [{}, /: v/], [{ ...good, v: 2 }, /: v/], [{ ...good, next: '1' }, /next/],
    [{ ...good, next: 4 }, /held/], [{ ...good, held: [{ sequence: 3 }] }, /held/], [{ ...good, status: 'ended' }, /status/],
    [{ ...good, status: 'lost' }, /status/], [{ ...good, attempts: [] }, /attempt/], [{ ...good, open: { limits: {} } }, /open/],
    [{ ...good, pendingEnd: { lastSeq: 1 } }, /pendingEnd/], [{ ...good, bytes: -1 }, /bytes/], [{ ...good, judgedAt: null }, /judgedAt/],
    [{ ...good, held: [], next: 6 }, /end/],
  ];
  for (const [json, problem] of bad) expect(() => decodeState(json)).toThrow(problem);
  expect(decodeState(good).next).toBe(1);
});

test('[APPEND-13] a checkpoint keeps who opened the stream, and one from before quotas is read as it was', () => {
  expect(roundTrip(opened({}, { openedBy: 'ops' }).known).open.openedBy).toBe('ops');
  const old = opened().known;
  expect(roundTrip(old)).toEqual(old);
  expect(Object.keys(roundTrip(old).open)).not.toContain('openedBy');
  const bad = { ...encodeState(old), open: { ...old.open, openedBy: 7 } };
  expect(() => decodeState(bad)).toThrow(/open/);
});

test('[JUDGE-1] lost is left out of checkpoint equality, everything else is in it', () => {
  const one = opened().push(append(1, 'a')).known;
  const other = opened().push(append(1, 'a'), beat()).known;
  other.isLost = true;
  expect(equalForCheckpoint(one, other)).toBe(true);
  expect(equalForCheckpoint(one, opened().push(append(1, 'b')).known)).toBe(false);
  expect(equalForCheckpoint(one, opened({ gapMsMax: 1 }).push(append(1, 'a')).known)).toBe(false);
});

test('[JUDGE-1] everyone is shown the status, or lost, or deleted', () => {
  const fold = opened().push(append(1, 'a'), { kind: 'lapse', epoch: 1, activityOffset: 1 });
  expect(publicStatus(fold.known)).toBe('lost');
  expect(publicStatus(fold.push(beat()).known)).toBe('open');
  expect(publicStatus(fold.push(end()).known)).toBe('ended');
  expect(publicStatus(fold.pushAt(200_000_000, { kind: 'delete' }).known)).toBe('deleted');
});

test('a summary says where the stream stands', () => {
  const fold = opened({}, { channel: 'c', metadata: { m: 1 } }).push(append(1, ['a', 'b']));
  expect(summaryOf('no', fold.known)).toMatchObject({
    streamNo: 'no', status: 'open', channel: 'c', epoch: 1, sequence: 2, bytes: 2, openedAt: 1_001, updatedAt: 1_002, final: null, metadata: { m: 1 },
  });
});
