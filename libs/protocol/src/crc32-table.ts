/** CRC-32 (IEEE 802.3) by table, for browsers; Node passes its native zlib.crc32. Same arguments, same values. */
const TABLE = new Uint32Array(256);
for (let index = 0; index < 256; index++) {
  let value = index;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  TABLE[index] = value;
}

/** @param previous checksum of what came before; 0 at the start */
export function crc32Table(bytes: Uint8Array, previous: number): number {
  let checksum = ~previous;
  for (let index = 0; index < bytes.length; index++) checksum = TABLE[(checksum ^ bytes[index]!) & 255]! ^ (checksum >>> 8);
  return ~checksum >>> 0;
}
