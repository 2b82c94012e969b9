/** Which record of the log each byte of a stream's content came in. Memory: four numbers a fragment. */
interface Piece { offset: number; sequence: number; start: number; end: number }

export interface BytePlace {
  /** Of the record in the log. */
  offset: number;
  /** Of the fragment. */
  sequence: number;
  /** Index of the byte in the fragment. */
  byte: number;
}

export class ContentMap {
  private pieces: Piece[] = [];

  add(offset: number, sequence: number, start: number, length: number): void {
    this.pieces.push({ offset, sequence, start, end: start + length });
  }

  /** The content started over. */
  clear(): void {
    this.pieces = [];
  }

  placeOf(byte: number): BytePlace | null {
    let low = 0;
    let high = this.pieces.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.pieces[middle]!.end <= byte) low = middle + 1;
      else high = middle;
    }
    const piece = this.pieces[low];
    return piece && piece.start <= byte ? { offset: piece.offset, sequence: piece.sequence, byte: byte - piece.start } : null;
  }

  /** Offsets of the records that hold bytes of a stretch of the content, ascending, each once. */
  offsetsWithin(start: number, end: number): number[] {
    const offsets = this.pieces.filter((piece) => piece.end > start && piece.start < end).map(({ offset }) => offset);
    return [...new Set(offsets)].sort((a, b) => a - b);
  }
}
