import { crc32 } from 'node:zlib';
import type { FinalEvent, FragmentEvent, ReaderEvent } from '@rivulet/protocol';
import { platform } from './platform-node';
import { ReaderCheck } from './reader-check';

const STREAM: ReaderEvent = {
  type: 'stream', streamNo: 's', status: 'open', epoch: 1, attempt: 1, contentType: 'text/plain', merge: 'text', channel: '', metadata: {},
};
const fragment = (from: number, to: number, text: string): FragmentEvent => ({ type: 'fragment', streamNo: 's', from, to, cursor: `1.${to}`, text });

async function final(text: string, sequence: number, other: Partial<FinalEvent> = {}): Promise<FinalEvent> {
  const sha256 = platform.createDigest();
  sha256.update(Buffer.from(text));
  return {
    type: 'final', streamNo: 's', cursor: `1.${sequence}.f`, status: 'ended', reason: '', message: '', epoch: 1, sequence, bytes: Buffer.byteLength(text),
    checksum: crc32(text), digest: (await sha256.hex()) ?? '', metadata: {}, at: 0, ...other,
  };
}
async function accept(events: ReaderEvent[], from?: string): Promise<void> {
  const check = new ReaderCheck(from);
  for (const event of events) await check.accept(event);
}
const REFUSED = { code: 'CHECKSUM_MISMATCH' };

test('[WATCH-1] a hole and a repeat are noticed at once', async () => {
  await expect(accept([STREAM, fragment(1, 2, 'ab'), fragment(4, 4, 'd')])).rejects.toMatchObject(REFUSED);
  await expect(accept([STREAM, fragment(1, 2, 'ab'), fragment(2, 3, 'bc')])).rejects.toMatchObject(REFUSED);
  await expect(accept([fragment(5, 5, 'e')], '1.3')).rejects.toMatchObject(REFUSED);
  await expect(accept([fragment(4, 5, 'de')], '1.3')).resolves.toBeUndefined();
});

test('[WATCH-9] what differs from the final event is noticed: length, bytes, CRC-32, SHA-256', async () => {
  const seen = [STREAM, fragment(1, 2, 'ab'), fragment(3, 3, '红')];
  await expect(accept([...seen, await final('ab红', 3)])).resolves.toBeUndefined();
  await expect(accept([...seen, await final('ab红', 4)])).rejects.toMatchObject(REFUSED);
  await expect(accept([...seen, await final('ab红', 3, { bytes: 4 })])).rejects.toMatchObject(REFUSED);
  await expect(accept([...seen, await final('ab红', 3, { checksum: 1 })])).rejects.toMatchObject(REFUSED);
  await expect(accept([...seen, await final('ab红', 3, { digest: '0'.repeat(64) })])).rejects.toMatchObject(REFUSED);
});

test('after a rewind everything counts anew; who came later checks order only', async () => {
  const rewind: ReaderEvent = { type: 'rewind', streamNo: 's', epoch: 2, cursor: '2.0' };
  await expect(accept([STREAM, fragment(1, 3, 'abc'), rewind, fragment(1, 1, 'x'), await final('x', 1)])).resolves.toBeUndefined();
  await expect(accept([STREAM, fragment(3, 3, 'c'), await final('abc', 3)], '1.2')).resolves.toBeUndefined();
});
