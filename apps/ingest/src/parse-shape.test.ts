import { METADATA_BYTES_MAX, METADATA_DEPTH_MAX } from '@rivulet/protocol';
import { endShape, parseShape } from './parse-shape';

const nested = (depth: number): unknown => (depth === 0 ? 1 : { a: nested(depth - 1) });
const parse = (metadata: unknown) => () => parseShape(endShape, { metadata }, 'BODY_INVALID');

test('[OWN-7] metadata of an end that could not be read back from the log is refused before it gets there', () => {
  expect(parse(nested(METADATA_DEPTH_MAX))()).toEqual({ metadata: nested(METADATA_DEPTH_MAX) });
  expect(parse(nested(METADATA_DEPTH_MAX + 1))).toThrow(/metadata: metadata is nested deeper/);
  expect(parse(JSON.parse(`{"a":${'['.repeat(20_000)}${']'.repeat(20_000)}}`))).toThrow(/nested deeper/);
  expect(parse({ a: 'x'.repeat(METADATA_BYTES_MAX) })).toThrow(/larger/);
  expect(parse([])).toThrow('BODY_INVALID');
});
