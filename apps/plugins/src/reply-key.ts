import { createHash } from 'node:crypto';

/**
 * [APPEND-11] The Idempotency-Key of the answer to a stream: a UUIDv7 of the time that stream ended and of its streamNo, so that whoever
 * opens the answer, however often and on whatever host, gets the same streamNo.
 * @param endedAt ms, judged time: the same for everyone
 */
export function replyKey(streamNo: string, plugin: string, endedAt: number): string {
  const digest = createHash('sha256').update(`${plugin}/${streamNo}`).digest('hex');
  const time = endedAt.toString(16).padStart(12, '0');
  return `${time.slice(0, 8)}-${time.slice(8)}-7${digest.slice(0, 3)}-8${digest.slice(3, 6)}-${digest.slice(6, 18)}`;
}
