import type { OpenStream } from './open-stream';

/** Where the replay of a stream would have to start: its first record other than `beat` that no acknowledged checkpoint covers [OWN-3]. */
export interface ReplayMark {
  readonly stream: OpenStream;
  readonly offset: number;
  /** Bytes of the partition folded before it, counted since this owner began. */
  readonly bytesBefore: number;
  /** Monotonic ms. */
  readonly at: number;
}

/**
 * The marks of a partition in order of offset: a mark is always set by the newest record, so insertion order is offset order,
 * and the least start of all streams, which is what `replayFrom` may not pass, is the first of the set.
 */
export class ReplayMarks {
  private readonly marks = new Set<ReplayMark>();

  /** A record that changed the stream, or may have. */
  note(stream: OpenStream, offset: number, bytesBefore: number, at: number): void {
    if (stream.mark !== null) return;
    stream.mark = { stream, offset, bytesBefore, at };
    this.marks.add(stream.mark);
  }

  /** A checkpoint of the stream is on its way. */
  depart(stream: OpenStream): void {
    stream.flyingMark = stream.mark;
    stream.mark = null;
  }

  /** It is acknowledged. */
  land(stream: OpenStream): void {
    if (stream.flyingMark !== null) this.marks.delete(stream.flyingMark);
    stream.flyingMark = null;
  }

  /** It was not written: the older start holds again. */
  returnBack(stream: OpenStream): void {
    if (stream.flyingMark === null) return;
    if (stream.mark !== null) this.marks.delete(stream.mark);
    stream.mark = stream.flyingMark;
    stream.flyingMark = null;
  }

  get first(): ReplayMark | undefined {
    for (const mark of this.marks) return mark;
    return undefined;
  }

  get size(): number {
    return this.marks.size;
  }

  /** Streams whose start lies below a byte count or is older than a moment: they hold back `replayFrom` most. */
  *heldBackBy(bytes: number, at: number): Generator<OpenStream> {
    for (const mark of this.marks) {
      if (mark.bytesBefore >= bytes && mark.at >= at) return;
      yield mark.stream;
    }
  }
}
