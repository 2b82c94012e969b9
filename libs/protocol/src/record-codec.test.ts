import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { abort, append, beat, cancel, end, open, retry, unnumbered } from '../../../test/support/records';
import { rivulet } from './generated/log';
import { decodeRecord, encodeRecord } from './record-codec';
import type { LogRecord } from './records';

const ROOT = path.resolve(__dirname, '..', '..', '..');

test('the generated code is what the schemas in proto/ give', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'rivulet-proto-'));
  try {
    execFileSync(process.execPath, [path.join(ROOT, 'tools', 'proto.mjs'), folder], { stdio: 'pipe' });
    for (const name of ['log.ts', 'watch.ts']) {
      expect(readFileSync(path.join(folder, name), 'utf8')).toBe(readFileSync(path.join(__dirname, 'generated', name), 'utf8'));
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});

const RECORDS: LogRecord[] = [
  open({ streamBytesMax: 2 ** 40 }, { channel: '对话', merge: 'latest', class: 'bulk', metadata: { model: 'x', nested: { a: [1, null] } } }),
  open(), open({}, { openedBy: 'ops' }),
  append(2 ** 53 - 2, ['你好', '', 'a'], { epoch: 3, writerRun: 'run', lane: 'tool' }),
  unnumbered('boot', 2 ** 40, 'x'),
  retry(2, 'none', { reason: 'crash' }), retry(3),
  end(), end(0, { checksum: 0 }), end(2 ** 40, { checksum: 2 ** 32 - 1, digest: 'ab', metadata: { tokens: 3 } }),
  abort(2, 'X', 'why'), cancel('r', 'b'), beat(4),
  { kind: 'lapse', epoch: 2, activityOffset: 2 ** 40 }, { kind: 'gap', epoch: 2, next: 2 ** 40 }, { kind: 'expire' }, { kind: 'delete' },
];

test.each(RECORDS.map((record) => [record.kind, record] as const))('%s comes back as it went', (_kind, record) => {
  expect(decodeRecord(encodeRecord(record))).toEqual(record);
});

test('[APPEND-13] an open that is older than quotas names nobody, and decodes to what it always did', () => {
  expect(Object.keys(decodeRecord(encodeRecord(open())))).not.toContain('openedBy');
});

test('encoded records are Buffers in Node, and plain Uint8Arrays can be decoded too', () => {
  const bytes = encodeRecord(append(1, 'a'));
  expect(Buffer.isBuffer(bytes)).toBe(true);
  expect(decodeRecord(Uint8Array.from(bytes))).toMatchObject({ kind: 'append', payloads: [Uint8Array.of(97)] });
});

test('payloads are views into the bytes that were decoded, not copies', () => {
  const bytes = encodeRecord(append(1, 'aaaa'));
  const { payloads } = decodeRecord(bytes) as { payloads: Uint8Array[] };
  bytes.fill(98, bytes.length - 4);
  expect(Buffer.from(payloads[0]!).toString()).toBe('bbbb');
});

test('any append comes back as it went', () => {
  const any = fc.record({
    kind: fc.constant('append' as const), epoch: fc.nat(2 ** 32 - 1), firstSeq: fc.maxSafeNat(), writer: fc.string(), n: fc.maxSafeNat(),
    writerRun: fc.string(), lane: fc.string({ unit: 'binary' }), payloads: fc.array(fc.uint8Array().map((bytes) => Buffer.from(bytes))),
  });
  fc.assert(fc.property(any, (record) => expect(decodeRecord(encodeRecord(record))).toEqual(record)));
});

const wire = (rivulet as unknown as { v1: { LogRecord: { encode(message: object): { finish(): Uint8Array } } } }).v1.LogRecord;
const UNREADABLE: [string, object][] = [
  ['a record without a body', {}],
  ['a sequence beyond 2^53', { append: { epoch: 1, firstSeq: 2 ** 60, payloads: [] } }],
  ['an open without limits', { open: { merge: 'text', class: 'bulk' } }],
  ['an unknown merge', { open: { merge: 'later', class: 'bulk', limits: {} } }],
  ['an unknown class', { open: { merge: 'text', class: 'vip', limits: {} } }],
  ['metadata that is no JSON', { end: { epoch: 1, metadataJson: '{' } }],
  ['metadata that is no object', { end: { epoch: 1, metadataJson: '[1]' } }],
  ['metadata nested without end', { end: { epoch: 1, metadataJson: `{"a":${'['.repeat(20_000)}${']'.repeat(20_000)}}` } }],
];
test.each(UNREADABLE)('[OWN-7] %s cannot be decoded: an Error, for the dead letters', (_what, message) => {
  expect(() => decodeRecord(wire.encode(message).finish())).toThrow(Error);
});

test('[OWN-7] cut and random bytes are an Error or a record, never anything else', () => {
  expect(() => decodeRecord(Buffer.from('this is not a record'))).toThrow(Error);
  expect(() => decodeRecord(encodeRecord(append(1, 'aaaa')).subarray(0, 9))).toThrow(Error);
  expect(() => decodeRecord(new Uint8Array())).toThrow(Error);
});

test('fields of a later version are skipped', () => {
  const field15 = [0x78, 0x01];
  expect(decodeRecord(Buffer.from([...encodeRecord({ kind: 'expire' }), ...field15]))).toEqual({ kind: 'expire' });
});
