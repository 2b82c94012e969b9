/**
 * Which byte was altered, from two checksums alone. CRC-32 is linear: what a changed byte does to it depends only on the difference of the
 * byte and on how many bytes follow. So the difference of two checksums is run backwards over the stretch between them, and wherever
 * it becomes the mark of a single byte, that byte may be the one. By chance that happens once in 17 million bytes; a digest decides then.
 */
const TABLE = new Uint32Array(256);
/** Index of the entry that has this top byte; each has another one, which is what makes the way back unique. */
const INDEX_OF_TOP = new Uint8Array(256);
for (let index = 0; index < 256; index += 1) {
  let value = index;
  for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  TABLE[index] = value;
  INDEX_OF_TOP[value >>> 24] = index;
}

export interface AlteredByte {
  /** Index of the byte from the start of the stretch. */
  at: number;
  /** What it differs by: found XOR original. */
  difference: number;
}

/**
 * @param difference of the checksum found and the one wanted, XOR; not 0
 * @param length of the stretch both were taken over, bytes
 * @returns every single byte whose change explains the difference, at most countMax, from the end
 */
export function alteredBytes(difference: number, length: number, countMax: number): AlteredByte[] {
  const found: AlteredByte[] = [];
  let rest = difference >>> 0;
  for (let at = length - 1; at >= 0 && found.length < countMax; at -= 1) {
    const index = INDEX_OF_TOP[rest >>> 24]!;
    const before = (rest ^ TABLE[index]!) >>> 0;
    // Before the altered byte there was no difference at all.
    if (before === 0) found.push({ at, difference: index });
    rest = ((before << 8) | index) >>> 0;
  }
  return found;
}
