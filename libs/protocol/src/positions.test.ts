import { append, end, open, retry, unnumbered } from '../../../test/support/records';
import { foldLog } from '../../../test/support/arbitrary-log';
import type { Entry } from '../../../test/support/arbitrary-log';
import { PositionIndex } from './positions';
import type { LogRecord } from './records';

const STRIDE = 32;

/** Folds records `gap` offsets apart, offering each state. */
function indexed(records: LogRecord[], gap = STRIDE, index = new PositionIndex()): PositionIndex {
  const log: Entry[] = [open(), ...records].map((record, place) => ({ record, offset: place * gap, timestamp: 1_000 + place }));
  let state;
  for (const entry of log) {
    ({ state } = foldLog(state, [entry]));
    index.offer(state);
  }
  return index;
}
const singles = (size: number): LogRecord[] => Array.from({ length: size }, (_, index) => append(index + 1, 'a'));
const offsets = (index: PositionIndex): number[] => index.all.map(({ offset }) => offset);

test('the first position is the open, the others keep their distance', () => {
  expect(offsets(indexed(singles(4)))).toEqual([0, 32, 64, 96, 128]);
  expect(offsets(indexed(singles(8), 10))).toEqual([0, 40, 80]);
});

test('a position holds what the judge needs to go on', () => {
  expect(indexed([unnumbered('w', 5, ['a', 'b'], { writerRun: 'r' })]).all.at(-1)).toEqual({
    offset: 32, judgedAt: 1_001, epoch: 1, next: 3, bytes: 2, checksum: expect.any(Number), numbering: 'unnumbered', writerRun: 'r',
    writers: [{ writer: 'w', n: 6 }],
  });
});

test('no position is taken while a fragment is held, an end waits, or after the end', () => {
  const index = indexed([append(2, 'b'), append(3, 'c'), append(1, 'a'), end(5), append(4, 'd'), append(5, 'e'), append(5, 'e')]);
  expect(offsets(index)).toEqual([0, 96]);
});

test('there are never more than 64: when full, the stride doubles and the open stays', () => {
  const index = indexed(singles(1_000));
  expect(index.all.length).toBeLessThanOrEqual(64);
  expect(index.all.length).toBeGreaterThanOrEqual(31);
  expect(offsets(index)[0]).toBe(0);
  const distances = offsets(index).slice(1).map((offset, place) => offset - offsets(index)[place]!);
  expect(new Set(distances)).toEqual(new Set([512]));
});

test('records that add no content never fill the index beyond its bound', () => {
  expect(indexed(Array.from({ length: 500 }, () => append(1, []))).all.length).toBeLessThanOrEqual(64);
});

test('an index made of stored positions goes on as wide as it was', () => {
  const stored = indexed(singles(1_000)).all;
  const index = new PositionIndex(stored);
  expect(index.all).toEqual(stored);
  expect(index.all).not.toBe(stored);
  const later = stored.map((position) => ({ ...position, offset: position.offset + 1e6 }));
  expect(new PositionIndex([...stored, ...later]).all.length).toBeLessThan(64);
});

test('at gives the greatest position from which the next sequence can be read', () => {
  const index = indexed(singles(10));
  expect(index.at(1, 0)!.offset).toBe(0);
  expect(index.at(1, 4)).toMatchObject({ offset: 128, next: 5 });
  expect(index.at(1, 99)).toMatchObject({ next: 11 });
});

test('after keep: all the content before it is still found, under the new epoch too', () => {
  const index = indexed([...singles(3), retry(2), append(4, 'd', { epoch: 2 })]);
  expect(index.at(2, 2)).toMatchObject({ epoch: 1, next: 3 });
  expect(index.at(2, 4)).toMatchObject({ epoch: 2, next: 5 });
});

test('after keep: none reading begins at the restart; what lay before is dropped but for the open', () => {
  const index = indexed([...singles(3), retry(2, 'none'), append(1, 'z', { epoch: 2 })]);
  expect(offsets(index)).toEqual([0, 128, 160]);
  expect(index.at(2, 0)).toMatchObject({ epoch: 2, next: 1, offset: 128 });
  expect(index.at(1, 2)).toMatchObject({ epoch: 1, offset: 0 });
});

test('[WATCH-5] what the log no longer has is dropped, and a cursor before it finds nothing', () => {
  const index = indexed(singles(5));
  index.dropBelow(33); // reading from the position at 32 begins at 33
  expect(offsets(index)).toEqual([32, 64, 96, 128, 160]);
  index.dropBelow(34);
  expect(index.at(1, 0)).toBeUndefined();
  expect(index.at(1, 2)?.offset).toBe(64);
});
