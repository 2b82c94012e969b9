import { contentRange, LAST_BYTE_UNKNOWN, parseRange } from './content-range';

/** header, bytes so far, whether it grows → start–until, 416, or none */
const table: [string | undefined, number, boolean, [number, number] | 'unsatisfiable' | null][] = [
  [undefined, 100, false, null],
  ['bytes=0-0', 100, false, [0, 1]],
  ['bytes=0-99', 100, false, [0, 100]],
  ['bytes=10-', 100, false, [10, 100]],
  ['bytes=99-', 100, false, [99, 100]],
  ['bytes=10-19', 100, false, [10, 20]],
  ['bytes=10-1000', 100, false, [10, 100]],
  ['bytes=-5', 100, false, [95, 100]],
  ['bytes=-1000', 100, false, [0, 100]],
  ['bytes= 1 - 2', 100, false, [1, 3]],
  ['bytes=100-', 100, false, 'unsatisfiable'],
  ['bytes=200-300', 100, false, 'unsatisfiable'],
  ['bytes=-0', 100, false, 'unsatisfiable'],
  ['bytes=0-', 0, false, 'unsatisfiable'],
  ['bytes=-5', 0, false, 'unsatisfiable'],
  ['bytes=20-10', 100, false, null],
  ['bytes=-', 100, false, null],
  ['bytes=0-1,5-6', 100, false, null],
  ['items=0-1', 100, false, null],
  ['bytes=a-b', 100, false, null],
  ['bytes=99999999999999999-', 100, false, null],
  ['bytes=10-', 100, true, [10, Infinity]],
  ['bytes=100-', 100, true, [100, Infinity]],
  ['bytes=50-199', 100, true, [50, 200]],
  ['bytes=-5', 100, true, [95, Infinity]],
  ['bytes=101-', 100, true, 'unsatisfiable'],
];

test.each(table)('range %s of %d bytes, growing: %s', (header, bytes, isGrowing, expected) => {
  const parsed = parseRange(header, bytes, isGrowing);
  expect(parsed === null || parsed === 'unsatisfiable' ? parsed : [parsed.start, parsed.until]).toEqual(expected);
});

test('a range without a known end says so as RFC 8673 does', () => {
  expect(contentRange({ start: 5, until: 10 }, 100)).toBe('bytes 5-9/100');
  expect(contentRange({ start: 5, until: 10 }, null)).toBe('bytes 5-9/*');
  expect(contentRange({ start: 5, until: Infinity }, null)).toBe(`bytes 5-${LAST_BYTE_UNKNOWN}/*`);
});
