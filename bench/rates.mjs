// (c) What one core folds and what one core encodes and decodes. No I/O.
import { crc32 as zlibCrc32 } from 'node:zlib';
import protocol from '@rivulet/protocol';
import { row } from './report.mjs';

const { decodeRecord, encodeRecord, issueStreamNo, judge } = protocol;
const crc32 = (bytes, previous) => zlibCrc32(bytes, previous);

const openRecord = {
  kind: 'open', channel: '', contentType: 'text/plain; charset=utf-8', merge: 'text', class: 'interactive',
  leaseMs: 10_000, ttlMs: 86_400_000, retentionMs: 86_400_000,
  limits: { heldFragmentsMax: 64, heldBytesMax: 4 << 20, gapMsMax: 30_000, attemptsMax: 16,
    fragmentBytesMax: 256 << 10, streamBytesMax: 0 },
  judgeVersion: 1, metadata: {},
};
const appendRecord = (firstSeq, payloads) => ({ kind: 'append', epoch: 1, firstSeq, writer: '', n: 0, writerRun: '', lane: '', payloads });

/** Calls `step` (which does `fragments` fragments) for 0.4 s after a warm-up as long; the better of two, in fragments per second. */
function perSecond(fragments, step) {
  let best = 0;
  for (let round = 0; round < 3; round++) {
    let done = 0;
    const start = performance.now();
    while (performance.now() - start < 400) { step(); done += fragments; }
    if (round > 0) best = Math.max(best, (done * 1000) / (performance.now() - start));
  }
  return best;
}

export async function rates() {
  const streamNo = issueStreamNo({ time: Date.now(), partition: 3, random: Buffer.alloc(5, 7) }, () => Buffer.alloc(32, 1));
  const payload = Buffer.from('x'.repeat(100));
  const foldRate = (packed) => {
    let state; let offset = 0;
    const payloads = new Array(packed).fill(payload);
    const restart = () => { ({ state } = judge(undefined, streamNo, openRecord, offset++, 1, crc32)); };
    restart();
    return perSecond(packed * 100, () => {
      for (let n = 0; n < 100; n++) ({ state } = judge(state, streamNo, appendRecord(state.next, payloads), offset++, 1, crc32));
    });
  };
  const crcRate = perSecond(1000, () => { let sum = 0; for (let n = 0; n < 1000; n++) sum = crc32(payload, sum); return sum; });
  const packed = appendRecord(1, new Array(50).fill(payload));
  const bytes = encodeRecord(packed);
  const single = appendRecord(1, [payload]);
  const singleBytes = encodeRecord(single);
  const goal = 500_000;
  const target = `≥ ${goal}`;
  const entry = (metric, value, reference) => row('one core', metric, value, 'fragments/s', { reference, ratio: value / reference, target, met: value >= goal });
  const foldOne = foldRate(1);
  return [
    entry('judge, one fragment a record (reference: its CRC-32 alone)', foldOne, crcRate),
    entry('judge, 50 fragments a record', foldRate(50), crcRate),
    entry('encode, 50 fragments a record', perSecond(50, () => encodeRecord(packed)), crcRate),
    entry('decode, 50 fragments a record', perSecond(50, () => decodeRecord(bytes)), crcRate),
    row('one core', 'encode, one fragment a record', perSecond(1, () => encodeRecord(single)), 'fragments/s'),
    row('one core', 'decode, one fragment a record', perSecond(1, () => decodeRecord(singleBytes)), 'fragments/s'),
  ];
}
