export interface BytePlace {
  /** Of the record in the log. */
  offset: number;
  /** Of the fragment. */
  sequence: number;
  /** Index of the byte in the fragment. */
  byte: number;
}

/** Which record of the log each byte of a stream's content came in. Plain arrays of numbers: a stream may have millions of fragments. */
export class ContentMap {
  private readonly offsets: number[] = [];
  private readonly sequences: number[] = [];
  /** First byte of each fragment; each ends where the next one starts. */
  private readonly starts: number[] = [];
  private end = 0;

  /** Fragments come in the order of the content. */
  add(offset: number, sequence: number, length: number): void {
    this.offsets.push(offset);
    this.sequences.push(sequence);
    this.starts.push(this.end);
    this.end += length;
  }

  /** The content starts over, or goes on behind what is not known. @param start bytes before what follows */
  restart(start: number): void {
    this.offsets.length = this.sequences.length = this.starts.length = 0;
    this.end = start;
  }

  placeOf(byte: number): BytePlace | null {
    const index = this.indexOf(byte);
    if (index < 0 || byte >= this.end) return null;
    return { offset: this.offsets[index]!, sequence: this.sequences[index]!, byte: byte - this.starts[index]! };
  }

  /** Offsets of the records that hold bytes of a stretch of the content, ascending, each once. */
  offsetsWithin(start: number, end: number): number[] {
    const found = new Set<number>();
    for (let index = Math.max(0, this.indexOf(start)); index < this.starts.length && this.starts[index]! < end; index += 1) {
      found.add(this.offsets[index]!);
    }
    return [...found].sort((a, b) => a - b);
  }

  /** @returns the last fragment that starts at or before a byte; -1: it lies before all of them */
  private indexOf(byte: number): number {
    let low = 0;
    let high = this.starts.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.starts[middle]! <= byte) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }
}
