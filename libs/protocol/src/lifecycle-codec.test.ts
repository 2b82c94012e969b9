import fc from 'fast-check';
import { opened } from '../../../test/support/records';
import type { LifecycleValue, OwnerValue, Version } from './lifecycle';
import { decodeLifecycle, decodeOwner, encodeLifecycle, encodeOwner, isNewer } from './lifecycle-codec';
import { encodeState, publicStatus } from './state-codec';

const { known: state } = opened();
const VALUE: LifecycleValue = {
  version: [5, 9, 0], streamNo: state.streamNo, status: publicStatus(state), open: state.open, openedAt: state.openedAt,
  openedOffset: state.openedOffset, epoch: 1, sequence: 0, bytes: 0, checksum: 0, updatedAt: 1, attempts: state.attempts, verdicts: [],
  final: null, checkpoint: { offset: 9, state: encodeState(state) }, positions: [],
};
const OWNER: OwnerValue = { version: [5, 9, 1], instance: 'i', address: 'http://a', replayFrom: 3, logId: 'c:1' };

test('[OWN-2] versions are ordered by claim, then folded offset, then count', () => {
  expect(isNewer([2, 0, 0], [1, 9, 9])).toBe(true);
  expect(isNewer([1, 2, 0], [1, 1, 9])).toBe(true);
  expect(isNewer([1, 1, 2], [1, 1, 1])).toBe(true);
  const version = fc.tuple(fc.nat(3), fc.nat(3), fc.nat(3)) as fc.Arbitrary<Version>;
  fc.assert(fc.property(version, version, (a, b) => {
    const isSame = a.every((part, index) => part === b[index]);
    expect([isNewer(a, b), isNewer(b, a)].filter(Boolean)).toHaveLength(isSame ? 0 : 1);
  }));
});

test('[OWN-3] lifecycle and owner values come back as they went', () => {
  expect(decodeLifecycle(encodeLifecycle(VALUE))).toEqual(VALUE);
  expect(decodeOwner(encodeOwner(OWNER))).toEqual(OWNER);
});

test('[OWN-7] what is not such a value is an Error', () => {
  const bytes = (value: unknown) => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value));
  for (const bad of ['', '{', 'null', '[]', '{}', { ...VALUE, version: [1, 2] }, { ...VALUE, version: [1, 2, 'x'] }, { ...VALUE, open: null },
    { ...VALUE, attempts: {} }, { ...VALUE, epoch: '1' }, { ...VALUE, final: 3 }]) {
    expect(() => decodeLifecycle(bytes(bad))).toThrow(Error);
  }
  for (const bad of ['', '{}', { ...OWNER, replayFrom: null }, { ...OWNER, version: undefined }, { ...OWNER, address: 1 }]) {
    expect(() => decodeOwner(bytes(bad))).toThrow(Error);
  }
});
