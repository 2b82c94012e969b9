import { formatCursor, StreamError } from '@rivulet/protocol';
import type { Principal } from '@rivulet/service';
import { checkOf, parseChannelCursor } from './channel-cursor';
import type { ChannelCursor, PartitionPlace } from './channel-cursor';
import { ChannelPlace } from './channel-place';
import type { WaitingStream } from './channel-place';
import type { Delivery } from './delivery';
import type { ChannelHandle, ChannelStream } from './stream-source';

export interface ChannelWanted {
  channel: string;
  /** A channel cursor, `now`, or null: from the beginning of each stream. */
  from: string | null;
  /** From the beginning: of the streams that have ended so many, the newest; null: all that are kept. */
  endedMax: number | null;
  principals: readonly Principal[];
}

/** [WATCH-12] The feed does not go on where the reader was; this says where it does. */
export interface ChannelReset {
  /**
   * `now`: as was asked for; `wide`: too many open streams for a cursor; `gone`: the cursor is of another log or channel, or names a stream
   * that was removed.
   */
  reason: 'now' | 'wide' | 'gone';
  /** The open streams and where each goes on. All that ended before is passed over; what is opened later comes whole. */
  streams: { streamNo: string; cursor: string }[];
}

/** A replica may be replaced, by one that lags, while it is asked. */
const ASKED_MAX = 3;

interface ChannelStart { place: ChannelPlace; reset: ChannelReset | null }

/**
 * Finds a channel, and where its reader starts.
 * @returns with the handle, which the caller stops
 * @throws StreamError CURSOR_INVALID; NOT_READY, NOT_OWNER, LOG_UNAVAILABLE while its partitions cannot be folded here
 */
export async function openChannel(delivery: Delivery, wanted: ChannelWanted): Promise<ChannelStart & { handle: ChannelHandle }> {
  const { from } = wanted;
  const asked = from === null || from === 'now' ? null : parseChannelCursor(from);
  const handle = await delivery.options.source.channel(wanted.channel);
  try {
    return { handle, ...await start(delivery, handle, wanted, asked) };
  } catch (error) {
    handle.stop();
    throw error;
  }
}

async function start(
  delivery: Delivery, handle: ChannelHandle, wanted: ChannelWanted, asked: ChannelCursor | null,
): Promise<ChannelStart> {
  const { channel, from } = wanted;
  const check = checkOf(handle.clusterId, channel);
  const place = new ChannelPlace(check, handle.partitions);
  handle.follow((streams) => place.announced(streams));
  if (from === null) {
    beginning(place, handle, wanted.endedMax ?? Infinity);
    return { place, reset: null };
  }
  if (asked === null) return now(delivery, place, handle, wanted, 'now');
  if (asked.check !== check) return now(delivery, place, handle, wanted, 'gone');
  if (asked.places === null) return now(delivery, place, handle, wanted, 'wide');
  const streams = await whenFolded(delivery, handle, asked.places);
  if (streams === null) return now(delivery, place, handle, wanted, 'gone');
  resume(place, handle, streams, asked.places);
  return { place, reset: null };
}

const whole = ({ streamNo, partition, openedOffset }: ChannelStream): WaitingStream =>
  ({ streamNo, partition, openedOffset, cursor: null });
const ofPartition = (streams: readonly ChannelStream[], partition: number): ChannelStream[] =>
  streams.filter((stream) => stream.partition === partition);

function beginning(place: ChannelPlace, handle: ChannelHandle, endedMax: number): void {
  const streams = handle.streams();
  const ended = streams.filter(({ isEnded }) => isEnded).map(({ streamNo }) => streamNo).sort();
  const passedOver = new Set(ended.slice(0, Math.max(0, ended.length - endedMax)));
  for (const partition of handle.partitions) {
    const all = ofPartition(streams, partition);
    const line = all.findLast(({ streamNo }) => passedOver.has(streamNo))?.openedOffset ?? -1;
    place.startAt(partition, line, all, all.filter(({ streamNo }) => !passedOver.has(streamNo)).map(whole));
  }
}

/** Only what comes: of open streams what follows their head, and whatever is opened from now on. */
async function now(
  delivery: Delivery, place: ChannelPlace, handle: ChannelHandle, { principals }: ChannelWanted, reason: ChannelReset['reason'],
): Promise<ChannelStart> {
  const streams = handle.streams();
  const reset: ChannelReset = { reason, streams: [] };
  const waiting: WaitingStream[] = [];
  for (const stream of streams) {
    if (stream.isEnded) continue;
    const cursor = await headOf(delivery, stream.streamNo, principals);
    if (cursor === null) continue;
    waiting.push({ ...whole(stream), cursor });
    reset.streams.push({ streamNo: stream.streamNo, cursor: formatCursor(cursor.epoch, cursor.sequence) });
  }
  for (const partition of handle.partitions) {
    const all = ofPartition(streams, partition);
    place.startAt(partition, all.at(-1)?.openedOffset ?? -1, all, waiting.filter((one) => one.partition === partition));
  }
  return { place, reset };
}

/** @returns null when it is gone */
async function headOf(delivery: Delivery, streamNo: string, principals: readonly Principal[]): Promise<WaitingStream['cursor']> {
  try {
    const entry = await delivery.open(streamNo, principals);
    const { epoch, next } = entry.state;
    delivery.options.source.release(entry);
    return { epoch, sequence: next - 1 };
  } catch (error) {
    if (error instanceof StreamError && (error.code === 'STREAM_GONE' || error.code === 'STREAM_NOT_FOUND')) return null;
    throw error;
  }
}

/**
 * A cursor that another instance gave may be ahead of the fold here [LINK-2]; one that is ahead of the log is of a log that lost its end.
 * @returns the streams of the channel, folded beyond the lines of the cursor; null when there is no such place
 */
async function whenFolded(delivery: Delivery, handle: ChannelHandle, asked: readonly PartitionPlace[]): Promise<ChannelStream[] | null> {
  if (asked.some(({ partition }) => !handle.partitions.includes(partition))) return null;
  for (let asking = 1; ; asking += 1) {
    const ahead = asked.filter(({ partition, line }) => handle.foldedTo(partition) <= line);
    if (ahead.length === 0) break;
    if (asking > ASKED_MAX) return null;
    for (const { partition } of ahead) await delivery.options.source.caughtUp(partition);
  }
  const streams = handle.streams();
  return asked.every((place) => hasUnfinished(streams, place)) ? streams : null;
}

/** Those that were not begun may have been removed: of them there was nothing to tell. */
function hasUnfinished(streams: readonly ChannelStream[], { partition, unfinished }: PartitionPlace): boolean {
  const opened = new Set(ofPartition(streams, partition).map(({ openedOffset }) => openedOffset));
  return unfinished.every(({ openedOffset, cursor }) => cursor === null || opened.has(openedOffset));
}

function resume(place: ChannelPlace, handle: ChannelHandle, streams: readonly ChannelStream[], asked: readonly PartitionPlace[]): void {
  for (const partition of handle.partitions) {
    const { line, unfinished } = asked.find((one) => one.partition === partition) ?? { line: -1, unfinished: [] };
    const cursors = new Map(unfinished.map(({ openedOffset, cursor }) => [openedOffset, cursor]));
    const all = ofPartition(streams, partition);
    const wanted = all
      .filter(({ openedOffset }) => openedOffset > line || cursors.has(openedOffset))
      .map((stream) => ({ ...whole(stream), cursor: cursors.get(stream.openedOffset) ?? null }));
    place.startAt(partition, line, all, wanted);
  }
}
