import { eventProto } from './event-proto';
import { eventText } from './event-text';
import type { EventText, Tellable } from './event-text';
import type { StreamEntry } from './stream-source';
import type { Run } from './view-segment';

/** SSE bytes, plain and as one chunk of a chunked body. */
export interface SseFrame { plain: Buffer; chunk: Buffer }

export function sseFrame(text: string, rest?: Buffer): SseFrame {
  const plain = rest === undefined ? Buffer.from(text) : Buffer.concat([Buffer.from(text), rest]);
  return { plain, chunk: Buffer.concat([Buffer.from(`${plain.byteLength.toString(16)}\r\n`), plain, CRLF]) };
}
const CRLF = Buffer.from('\r\n');

/** On a feed of one stream: the cursor is the SSE id [WATCH-2], and the streamNo is known. */
export function sseText({ name, cursor, members }: EventText): string {
  return `event: ${name}\n${cursor === '' ? '' : `id: ${cursor}\n`}data: {${members}}\n\n`;
}

/** On a feed of many streams, which share it; the id is each feed's own [WATCH-12]. */
export function channelText(streamNo: string, { name, members }: EventText): string {
  return `event: ${name}\ndata: {"streamNo":"${streamNo}"${members === '' ? '' : `,${members}`}}\n\n`;
}

/** The event with an id of its own: one write, as a second one would cost more than the copy. */
export function withId(id: string, { plain }: SseFrame): SseFrame {
  return sseFrame(`id: ${id}\n`, plain);
}

/** What follows `{"id":"…",` in a WebSocket frame. */
export function socketText(streamNo: string, { name, members }: EventText): string {
  return `"type":"${name}","streamNo":"${streamNo}"${members === '' ? '' : `,${members}`}}`;
}

interface Slot<T> { first: number; last: number; epoch: number; generation: number; frame: T }
const isOf = (slot: Slot<unknown>, run: Run, generation: number): boolean =>
  slot.last === run.last && slot.first === run.first && slot.epoch === run.epoch && slot.generation === generation;

const FORMATS = {
  sse: ({ state }: StreamEntry, told: Tellable): SseFrame => sseFrame(sseText(eventText(state, told))),
  channel: ({ streamNo, state }: StreamEntry, told: Tellable): SseFrame => sseFrame(channelText(streamNo, eventText(state, told))),
  socket: ({ streamNo, state }: StreamEntry, told: Tellable): string => socketText(streamNo, eventText(state, told)),
  proto: eventProto,
};
type Format = keyof typeof FORMATS;
type FrameOf<F extends Format> = ReturnType<(typeof FORMATS)[F]>;

/**
 * The head of a stream is encoded once, however many sessions are there: each format remembers the last run of each stream until the end
 * of the tick. Sessions behind the head encode their own, as they all stand elsewhere.
 */
export class SharedFrames {
  private readonly slots: { [F in Format]: Map<StreamEntry, Slot<FrameOf<F>>> } = {
    sse: new Map(), channel: new Map(), socket: new Map(), proto: new Map(),
  };
  private isClearing = false;

  /** @param onHead called with the age of a stream's newest record, ms, when its head is encoded first */
  constructor(private readonly onHead: (ageMs: number) => void = () => undefined) {}

  frame<F extends Format>(format: F, entry: StreamEntry, told: Tellable): FrameOf<F> {
    if (told.kind !== 'fragments') return FORMATS[format](entry, told) as FrameOf<F>;
    const { run, generation } = told;
    const slots = this.slots[format];
    const slot = slots.get(entry);
    if (slot !== undefined && isOf(slot, run, generation)) return slot.frame;
    const frame = FORMATS[format](entry, told) as FrameOf<F>;
    const { first, last, epoch } = run;
    slots.set(entry, { first, last, epoch, generation, frame });
    this.clearAfterTick();
    if (last === entry.state.next - 1) this.onHead(Date.now() - entry.state.judgedAt);
    return frame;
  }

  /** Kept longer, they would be memory outside of every cap. */
  private clearAfterTick(): void {
    if (this.isClearing) return;
    this.isClearing = true;
    setImmediate(() => {
      this.isClearing = false;
      for (const slots of Object.values(this.slots)) slots.clear();
    });
  }
}
