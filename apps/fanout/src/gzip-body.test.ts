import { gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import { Compressions, GzipBody } from './gzip-body';

interface Written { bytes: number[]; isCompressed: boolean }
/** The whole body, written as its output says it may be. */
async function bodyOf(compressions: Compressions, pieces: { bytes: Uint8Array; isCompressed: boolean }[], waits = true): Promise<Buffer> {
  const parts: Buffer[] = [];
  let wake: () => void = () => undefined;
  const body = new GzipBody(compressions, { write: (bytes) => void parts.push(bytes), onIdle: () => wake() });
  for (const { bytes, isCompressed } of pieces) {
    body.write(bytes, isCompressed);
    if (waits && body.isBusy) await new Promise<void>((resolve) => { wake = resolve; });
  }
  await new Promise<void>((resolve) => body.end(resolve));
  return Buffer.concat(parts);
}
const text = (length: number): Buffer => Buffer.from('all happy families are alike; '.repeat(length / 30 + 1).slice(0, length));

test('[WATCH-11] any pieces, compressed or stored, waited for or not, are one gzip body of their bytes', async () => {
  const small = fc.array(fc.nat(255), { maxLength: 50 });
  const large = fc.integer({ min: 1000, max: 3000 }).map((length) => Array.from({ length }, (_, at) => at % 7));
  const anyPieces = fc.array(fc.record<Written>({ bytes: fc.oneof(small, large), isCompressed: fc.boolean() }), { maxLength: 12 });
  await fc.assert(fc.asyncProperty(anyPieces, fc.integer({ min: 0, max: 2 }), fc.boolean(), async (written, max, waits) => {
    const pieces = written.map(({ bytes, isCompressed }) => ({ bytes: Buffer.from(bytes), isCompressed }));
    const body = await bodyOf(new Compressions(max), pieces, waits);
    expect(gunzipSync(body).equals(Buffer.concat(pieces.map(({ bytes }) => bytes)))).toBe(true);
  }), { numRuns: 200 });
});

test('a piece larger than a stored block can be is several of them', async () => {
  const bytes = text(200_000);
  const body = await bodyOf(new Compressions(1), [{ bytes, isCompressed: false }]);
  expect(gunzipSync(body).equals(bytes)).toBe(true);
  expect(body.byteLength).toBeLessThan(200_060);
});

test('[WATCH-11] no more pieces are compressed at once than may be; the others go on uncompressed, and none waits for another body', async () => {
  const compressions = new Compressions(2);
  const bodies = await Promise.all(Array.from({ length: 5 }, () => bodyOf(compressions, [{ bytes: text(60_000), isCompressed: true }])));
  expect(bodies.map((body) => body.byteLength < 10_000)).toEqual([true, true, false, false, false]);
  for (const body of bodies) expect(gunzipSync(body).equals(text(60_000))).toBe(true);
  expect([compressions.begin(), compressions.begin(), compressions.begin()]).toEqual([true, true, false]);
});
