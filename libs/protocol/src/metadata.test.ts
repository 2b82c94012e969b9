import { METADATA_BYTES_MAX, METADATA_DEPTH_MAX, isSameJson, metadataProblem } from './metadata';

const nested = (depth: number): unknown => (depth === 0 ? 1 : { a: nested(depth - 1) });

test('metadata is a JSON object of bounded depth and size', () => {
  expect(metadataProblem({})).toBeNull();
  expect(metadataProblem(nested(METADATA_DEPTH_MAX))).toBeNull();
  expect(metadataProblem(nested(METADATA_DEPTH_MAX + 1))).toMatch(/nested/);
  expect(metadataProblem({ a: 'x'.repeat(METADATA_BYTES_MAX) })).toMatch(/larger/);
  for (const value of [null, [], 'text', 3, undefined]) expect(metadataProblem(value)).toMatch(/object/);
});

test('JSON values are the same whatever the order of their keys', () => {
  expect(isSameJson({ a: [1, { b: null }], c: 'x' }, { c: 'x', a: [1, { b: null }] })).toBe(true);
  for (const [a, b] of [[{ a: 1 }, { b: 1 }], [[1], { 0: 1 }], [[1], [1, 2]], [null, {}], ['1', 1], [{ a: undefined }, { b: 1 }]]) {
    expect(isSameJson(a, b)).toBe(false);
  }
});
