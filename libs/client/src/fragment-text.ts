const LONE_SURROGATE = /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/;
const encoder = new TextEncoder();

/** @returns whether the text has a UTF-8 form [APPEND-9]. */
export const isWellFormed = (text: string): boolean => !LONE_SURROGATE.test(text);

/** Models and sockets cut text anywhere: half a surrogate pair at the end waits for its other half. */
export function splitTrailingHalf(text: string): { whole: string; half: string } {
  const last = text.charCodeAt(text.length - 1);
  return last >= 0xd800 && last <= 0xdbff ? { whole: text.slice(0, -1), half: text.slice(-1) } : { whole: text, half: '' };
}

export interface Part {
  content: string | Uint8Array;
  bytes: Uint8Array;
}

/** Cuts what is larger than a fragment may be, text at code points. Text and bytes only: they concatenate again at the reader. */
export function cut(whole: string | Uint8Array, bytesMax: number): Part[] {
  const isText = typeof whole === 'string';
  const bytes = isText ? encoder.encode(whole) : whole;
  if (bytes.length <= bytesMax) return bytes.length === 0 ? [] : [{ content: whole, bytes }];
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  const parts: Part[] = [];
  for (let at = 0, to = 0; at < bytes.length; at = to) {
    to = Math.min(bytes.length, at + bytesMax);
    // Back to the first byte of a code point (10xxxxxx is never one).
    while (isText && to < bytes.length && ((bytes[to] ?? 0) & 0xc0) === 0x80) to -= 1;
    const slice = bytes.subarray(at, to);
    parts.push({ content: isText ? decoder.decode(slice) : slice, bytes: slice });
  }
  return parts;
}
