import type { FinalEvent, FragmentEvent, StreamEvent } from '@rivulet/protocol';
import { platform } from './platform-node';

/** What a store keeps of a stream beside its batches of events. */
export interface Head {
  streamNo: string;
  stream: StreamEvent | null;
  epoch: number;
  /** Last sequence kept, and the characters, bytes or items up to it. */
  last: number;
  length: number;
  isFinal: boolean;
  /** About what the batches take in storage. */
  bytes: number;
  /** How many batches there are. */
  batches: number;
  /** When it was last added to, ms since the epoch. */
  usedAt: number;
}
export type KeptEvent = FragmentEvent | FinalEvent;
/**
 * Consecutive events that one tab has delivered, the attempt it was at after them, and the length of all content before the first of them.
 * isFresh: after a rewind.
 */
export interface Batch { stream: StreamEvent | null; epoch: number; isFresh: boolean; offset: number; events: KeptEvent[] }
/** What a batch comes to: the head afterwards, the events to add, and whether those kept so far are void. */
export interface Change { head: Head; events: KeptEvent[]; isFresh: boolean }

const emptyHead = (streamNo: string): Head => ({
  streamNo, stream: null, epoch: 1, last: 0, length: 0, isFinal: false, bytes: 0, batches: 0, usedAt: 0,
});

/**
 * What of a batch follows what is kept. Several tabs add to one stream, each with fragments merged at other places: what is there already
 * is left out, one that straddles the line is trimmed, and nothing is added beyond a hole.
 * @returns null when there is nothing to write
 */
export function changeOf(kept: Head | null, streamNo: string, batch: Batch, now: number): Change | null {
  // Content of an attempt that started over before the one that is kept. What starts at the beginning replaces what an older attempt left:
  // whether that one was continued or void, only its own reader knows.
  if (kept !== null && batch.epoch < kept.epoch) return null;
  const isNewer = kept !== null && batch.epoch > kept.epoch;
  const isFresh = batch.isFresh || (isNewer && batch.offset === 0);
  const head = { ...(isFresh || kept === null ? emptyHead(streamNo) : kept) };
  head.stream = batch.stream ?? head.stream;
  head.epoch = batch.epoch;
  head.usedAt = now;
  const events: KeptEvent[] = [];
  let offset = batch.offset;
  for (const event of batch.events) {
    const added = head.isFinal ? 'hole' : following(head, event, offset);
    if (added === 'hole') break;
    if (event.type === 'fragment') offset += lengthOf(event);
    if (added === null) continue;
    events.push(added);
    head.bytes += JSON.stringify(added).length;
    if (added.type === 'final') head.isFinal = true;
    else [head.last, head.length] = [added.to, offset];
  }
  if (events.length === 0 && !isFresh) return null;
  return { head, events, isFresh };
}

/** @returns the event as far as it follows what is kept; null: it is there already */
function following(head: Head, event: KeptEvent, offset: number): KeptEvent | null | 'hole' {
  if (event.type === 'final') return event.sequence === head.last ? event : 'hole';
  if (event.to <= head.last) return null;
  if (event.from > head.last + 1) return 'hole';
  const from = head.last + 1;
  return event.from === from ? event : { ...event, ...withoutFirst(event, head.length - offset), from };
}

/** @returns characters, bytes or items */
export function lengthOf({ base64, text, items }: FragmentEvent): number {
  if (base64 !== undefined) return platform.fromBase64(base64).length;
  return (text ?? items ?? '').length;
}

function withoutFirst({ base64, text, items }: FragmentEvent, seen: number): Partial<FragmentEvent> {
  if (text !== undefined) return { text: text.slice(seen) };
  if (items !== undefined) return { items: items.slice(seen) };
  return { base64: platform.toBase64(platform.fromBase64(base64 ?? '').subarray(seen)) };
}
