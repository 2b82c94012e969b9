import type { FinalFacts, StreamState } from '@rivulet/protocol';

/** Types a browser may show in its window. Others are downloads: what a stream carries must never run as a page of this origin. */
const SHOWN = /^(text\/plain|application\/json|image\/(png|jpeg|gif|webp|avif)|audio\/[\w.+-]+|video\/[\w.+-]+)\s*(;|$)/i;

/** Strong: what ended never changes, and these three name it. null while it may still change. */
export function etagOf(state: StreamState): string | null {
  const { final } = state;
  return final?.status === 'ended' ? `"${final.checksum.toString(16)}-${final.bytes}-${final.epoch}"` : null;
}

/**
 * Headers of the content that do not depend on the range. [WATCH-11] Of gzip the tag is weak, since its bytes may be others each time, and
 * no digest is told: it would be one of bytes that nobody has.
 */
export function contentHeaders(state: StreamState, isGzip: boolean): Record<string, string> {
  const { contentType } = state.open;
  const strong = etagOf(state);
  const etag = strong !== null && isGzip ? `W/${strong}` : strong;
  const digest = isGzip ? null : reprDigest(state.final);
  const size = declaredSize(state);
  return {
    'Content-Type': contentType,
    'Content-Disposition': `${SHOWN.test(contentType) ? 'inline' : 'attachment'}; filename="${state.streamNo}"`,
    'X-Content-Type-Options': 'nosniff',
    'Content-Security-Policy': "default-src 'none'; sandbox",
    'Accept-Ranges': 'bytes',
    'Cache-Control': 'no-cache, no-transform',
    'X-Accel-Buffering': 'no',
    'Stream-Status': state.status,
    ...(isGzip ? { 'Content-Encoding': 'gzip' } : {}),
    ...(etag === null ? {} : { ETag: etag }),
    ...(size === null ? {} : { 'Stream-Size-Bytes': String(size) }),
    ...(digest === null ? {} : { 'Repr-Digest': digest }),
  };
}

/** What the producer said at the open that it would write, for progress while it writes. Afterwards what is there is the size. */
function declaredSize({ open: { metadata }, final }: StreamState): number | null {
  const { sizeBytes } = metadata;
  return final === null && Number.isSafeInteger(sizeBytes) && (sizeBytes as number) >= 0 ? sizeBytes as number : null;
}

/** RFC 9530, from what the producer sealed: a reader checks it end to end [JUDGE-7]. */
function reprDigest(final: FinalFacts | null): string | null {
  if (final?.status !== 'ended' || final.digest === '') return null;
  return `sha-256=:${Buffer.from(final.digest, 'hex').toString('base64')}:`;
}

/** RFC 9110 13.1.2: `*`, or a list in which weak tags count too. */
export function isNotModified(header: string | undefined, etag: string | null): boolean {
  if (header === undefined || etag === null) return false;
  return header.split(',').map((tag) => tag.trim().replace(/^W\//, '')).some((tag) => tag === etag || tag === '*');
}

/** RFC 9110 13.1.5: a range of something else must not be glued to what the client has. */
export function mayUseRange(ifRange: string | undefined, etag: string | null): boolean {
  return ifRange === undefined || ifRange === etag;
}
