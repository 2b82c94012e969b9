/**
 * Where a run of UTF-8 can be cut [APPEND-9]: a pipe's pieces end wherever the network cut them.
 * @returns length of the longest prefix that does not end inside a code point; bytes that are not UTF-8 at all are left to the validation
 */
export function completeUtf8Length(bytes: Uint8Array): number {
  const length = bytes.length;
  for (let back = 1; back <= 3 && back <= length; back++) {
    const byte = bytes[length - back]!;
    if ((byte & 0xc0) === 0x80) continue; // a continuation byte: its lead is further left
    const needed = byte >= 0xf8 ? 1 : byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
    return needed > back ? length - back : length;
  }
  return length;
}

const decoder = new TextDecoder('utf-8', { fatal: true });

/** For browsers; Node has buffer.isUtf8, which is faster. */
export function isValidUtf8(bytes: Uint8Array): boolean {
  try {
    decoder.decode(bytes);
    return true;
  } catch {
    return false;
  }
}
