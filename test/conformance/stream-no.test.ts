import { createHmac, randomBytes } from 'node:crypto';
import { issueStreamNo } from '@rivulet/protocol';
import { Raw } from './raw';
import { suiteTarget } from './target';

const raw = new Raw(suiteTarget());

/** Every entry point that takes a streamNo. */
const ENTRIES: [method: string, path: string, json: unknown][] = [
  ['POST', '/v1/streams/:no/fragments', { seq: 1, data: 'x' }],
  ['POST', '/v1/streams/:no/end', {}],
  ['POST', '/v1/streams/:no/abort', { code: 'X' }],
  ['POST', '/v1/streams/:no/cancel', {}],
  ['POST', '/v1/streams/:no/retries', { attemptId: 'a' }],
  ['POST', '/v1/streams/:no/heartbeat', {}],
  ['GET', '/v1/watch/:no', undefined],
  ['GET', '/v1/watch/:no/events', undefined],
  ['GET', '/v1/watch/:no/content', undefined],
  ['GET', '/v1/admin/streams/:no', undefined],
];

function foreign(): string {
  const key = randomBytes(32);
  return issueStreamNo({ time: Date.now(), partition: 1, random: randomBytes(5) }, (bytes) => createHmac('sha256', key).update(bytes).digest());
}

/** Changes one character at a place, to another one of the alphabet. */
const altered = (no: string, at: number): string => `${no.slice(0, at)}${no[at] === 'a' ? 'b' : 'a'}${no.slice(at + 1)}`;

test('[NO-1] a streamNo is 32 characters of Crockford base32 and sorts by time', async () => {
  const first = await raw.open();
  const second = await raw.open();
  for (const { streamNo } of [first, second]) expect(streamNo).toMatch(/^[0-9a-hjkmnp-tv-z]{32}$/);
  expect(first.streamNo).not.toBe(second.streamNo);
  expect(first.streamNo.slice(0, 10) <= second.streamNo.slice(0, 10)).toBe(true);
});

test.each(ENTRIES)('[NO-2] %s %s refuses a made-up, an altered and a foreign streamNo', async (method, path, json) => {
  const { streamNo } = await raw.open();
  // The first character is the version, the last belong to the MAC, one in the middle to time, partition or random bits.
  const wrong = ['my-own-number', '0'.repeat(32), streamNo.slice(0, 31), `${streamNo}0`, foreign(), ...[0, 5, 14, 20, 31].map((at) => altered(streamNo, at))];
  for (const no of wrong) {
    const answer = await raw.call(method, path.replace(':no', no), { json });
    expect({ no, status: answer.status, code: answer.json?.code }).toEqual({ no, status: 400, code: 'STREAM_NO_NOT_ISSUED' });
    expect(answer.json.detail).toContain('POST /v1/streams');
  }
});
