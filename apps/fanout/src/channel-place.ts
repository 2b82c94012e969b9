import { CHANNEL_CURSOR_LENGTH_MAX, lineText, unfinishedText, WIDE } from './channel-cursor';
import type { UnfinishedStream } from './channel-cursor';
import type { KnownStream } from './stream-source';

/** A stream of the channel that is to be begun. */
export interface WaitingStream extends KnownStream {
  /** From where; null: from its beginning. */
  cursor: UnfinishedStream['cursor'];
}

interface Part {
  /** Every stream opened at or before this offset was begun or passed over; -1: none. */
  line: number;
  lineText: string;
  /** Offset of the newest stream known: what is told of again, by another replica, is not newer. */
  newest: number;
  /** As they stand in the cursor, by the offset of their `open`. */
  unfinished: Map<number, string>;
  /** Ascending by offset. */
  waiting: WaitingStream[];
}

/**
 * [WATCH-12] How far a reader of a channel has come: which streams wait to be begun, which are under way and where; and that as a cursor.
 * Within a partition streams are begun in the order of the log, so a stream that the cursor does not name is done with when it was opened
 * at or before the line, and not begun when it was opened after it.
 */
export class ChannelPlace {
  /** Called when there is more to begin than at the start. */
  onWaiting: () => void = () => undefined;
  private readonly parts = new Map<number, Part>();
  /** Of the text of all that is unfinished. */
  private length = 0;

  /** @param check of the channel and the log */
  constructor(private readonly check: string, partitions: readonly number[]) {
    for (const partition of partitions) {
      this.parts.set(partition, { line: -1, lineText: '', newest: -1, unfinished: new Map(), waiting: [] });
    }
  }

  get cursor(): string {
    let text = this.check;
    if (this.length > CHANNEL_CURSOR_LENGTH_MAX) return text + WIDE;
    for (const part of this.parts.values()) {
      text += part.lineText;
      for (const stream of part.unfinished.values()) text += stream;
    }
    return text.length > CHANNEL_CURSOR_LENGTH_MAX ? this.check + WIDE : text;
  }

  /** New streams, in the order of the log, and perhaps some that are known. */
  announced(streams: readonly KnownStream[]): void {
    for (const { partition, openedOffset, streamNo } of streams) {
      const part = this.parts.get(partition);
      if (part === undefined || openedOffset <= part.newest) continue;
      part.newest = openedOffset;
      part.waiting.push({ partition, openedOffset, streamNo, cursor: null });
    }
    this.onWaiting();
  }

  /**
   * Where it starts in one partition, before any stream is begun.
   * @param streams all that are known there, in the order of the log
   * @param wanted those to be begun; the others are passed over, and must have been opened at or before the line
   */
  startAt(partition: number, line: number, streams: readonly KnownStream[], wanted: readonly WaitingStream[]): void {
    const part = this.parts.get(partition)!;
    const newest = Math.max(line, streams.at(-1)?.openedOffset ?? -1);
    // Told of since the streams were listed.
    const later = part.waiting.filter(({ openedOffset }) => openedOffset > newest);
    part.waiting = [...wanted, ...later];
    part.newest = Math.max(part.newest, newest);
    this.advance(part, partition, line);
    for (const stream of wanted) if (stream.openedOffset <= line) this.set(part, stream);
  }

  /** Takes the next stream to begin: of each partition in the order of the log, and the older of two partitions' first. */
  next(): WaitingStream | undefined {
    let first: WaitingStream[] | undefined;
    for (const { waiting } of this.parts.values()) {
      if (waiting.length > 0 && (first === undefined || waiting[0]!.streamNo < first[0]!.streamNo)) first = waiting;
    }
    const stream = first?.shift();
    if (stream === undefined) return undefined;
    const part = this.parts.get(stream.partition)!;
    if (stream.openedOffset > part.line) {
      this.advance(part, stream.partition, stream.openedOffset);
      this.set(part, stream);
    }
    return stream;
  }

  moved(partition: number, openedOffset: number, cursor: UnfinishedStream['cursor']): void {
    this.set(this.parts.get(partition)!, { openedOffset, cursor });
  }

  /** Nothing more comes of it. */
  done(partition: number, openedOffset: number): void {
    const { unfinished } = this.parts.get(partition)!;
    this.length -= unfinished.get(openedOffset)?.length ?? 0;
    unfinished.delete(openedOffset);
  }

  private advance(part: Part, partition: number, line: number): void {
    part.line = line;
    part.lineText = line < 0 ? '' : lineText(partition, line);
  }

  private set(part: Part, stream: UnfinishedStream): void {
    const text = unfinishedText(stream);
    this.length += text.length - (part.unfinished.get(stream.openedOffset)?.length ?? 0);
    part.unfinished.set(stream.openedOffset, text);
  }
}
