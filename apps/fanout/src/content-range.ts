/** Bytes of the content: from `start` up to and without `until`; Infinity: as long as it grows. */
export interface ByteSpan { start: number; until: number }

/** RFC 8673: what a range that follows growing content has for a last byte, since a number has to stand there. */
export const LAST_BYTE_UNKNOWN = Number.MAX_SAFE_INTEGER;

/**
 * @param header of one range; several, other units and what is malformed are ignored, as RFC 9110 14.2 allows
 * @param bytes of the content so far
 * @param isGrowing more may come, and the reader waits for it
 * @returns null: no range, send everything; `unsatisfiable`: begins beyond the content
 */
export function parseRange(header: string | undefined, bytes: number, isGrowing: boolean): ByteSpan | 'unsatisfiable' | null {
  const match = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header?.replaceAll(/\s/g, '') ?? '');
  if (!match || (match[1] === '' && match[2] === '')) return null;
  const end = isGrowing ? Infinity : bytes;
  if (match[1] === '') {
    const suffix = Number(match[2]);
    if (suffix === 0) return 'unsatisfiable';
    const start = Math.max(0, bytes - suffix);
    return start >= end ? 'unsatisfiable' : { start, until: end };
  }
  const start = Number(match[1]);
  const until = match[2] === '' ? end : Math.min(Number(match[2]) + 1, end);
  if (match[2] !== '' && Number(match[2]) < start) return null;
  // The very end of growing content can be waited at; beyond it nothing is known to come.
  if (isGrowing ? start > bytes : start >= bytes) return 'unsatisfiable';
  return { start, until };
}

/** @param total null while it is not known */
export function contentRange({ start, until }: ByteSpan, total: number | null): string {
  return `bytes ${start}-${until === Infinity ? LAST_BYTE_UNKNOWN : until - 1}/${total ?? '*'}`;
}
