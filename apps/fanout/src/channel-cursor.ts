import { StreamError } from '@rivulet/protocol';
import { crc32 } from '@rivulet/service';

/**
 * [WATCH-12] The place of a reader in a channel, as text: all that is needed to go on, at any instance, since offsets of the log are the
 * same everywhere. For each partition of the channel a *line*, an offset: every stream of the channel that was opened at or before it is
 * done with, except the unfinished ones. Those are named by the offset of their `open`, and have a cursor of their own, or none yet.
 *
 *     check ( ~ partition . line ( _ opened [ . epoch . sequence ] )* )*        numbers in base 36
 *
 * Its length is bounded, as it travels in a header. A reader of more open streams than fit has the cursor `check!`: it leads to a reset.
 */
export const CHANNEL_CURSOR_LENGTH_MAX = 4_096;
export const WIDE = '!';
const CHECK_LENGTH = 7;

export interface UnfinishedStream {
  openedOffset: number;
  /** null: nothing of it was told. */
  cursor: { epoch: number; sequence: number } | null;
}
export interface PartitionPlace { partition: number; line: number; unfinished: UnfinishedStream[] }

const base36 = (value: number): string => value.toString(36);

/** Tells cursors of other channels and other logs apart: there, the same offsets are other streams. */
export function checkOf(clusterId: string, channel: string): string {
  return base36(crc32(Buffer.from(`${clusterId} ${channel}`), 0)).padStart(CHECK_LENGTH, '0');
}

export function lineText(partition: number, line: number): string {
  return `~${base36(partition)}.${base36(line)}`;
}

export function unfinishedText({ openedOffset, cursor }: UnfinishedStream): string {
  const opened = `_${base36(openedOffset)}`;
  return cursor === null ? opened : `${opened}.${base36(cursor.epoch)}.${base36(cursor.sequence)}`;
}

export interface ChannelCursor {
  check: string;
  /** null: of a wide one. */
  places: PartitionPlace[] | null;
}

/** @throws StreamError CURSOR_INVALID */
export function parseChannelCursor(text: string): ChannelCursor {
  const check = text.slice(0, CHECK_LENGTH);
  const [rest, ...places] = text.slice(CHECK_LENGTH).split('~');
  if (!/^[0-9a-z]{7}$/.test(check) || text.length > CHANNEL_CURSOR_LENGTH_MAX) throw invalid(text);
  if (rest === WIDE && places.length === 0) return { check, places: null };
  if (rest !== '') throw invalid(text);
  return { check, places: places.map((place) => placeOf(place, text)) };
}

function placeOf(place: string, text: string): PartitionPlace {
  const [head, ...streams] = place.split('_');
  const [partition, line] = numbersOf(head!, [2], text);
  return { partition: partition!, line: line!, unfinished: streams.map((stream) => unfinishedOf(stream, text)) };
}

function unfinishedOf(stream: string, text: string): UnfinishedStream {
  const [openedOffset, epoch, sequence] = numbersOf(stream, [1, 3], text);
  return { openedOffset: openedOffset!, cursor: epoch === undefined ? null : { epoch, sequence: sequence! } };
}

function numbersOf(part: string, counts: number[], text: string): number[] {
  const numbers = part.split('.').map((number) => (/^[0-9a-z]{1,11}$/.test(number) ? parseInt(number, 36) : NaN));
  if (!counts.includes(numbers.length) || !numbers.every(Number.isSafeInteger)) throw invalid(text);
  return numbers;
}

function invalid(text: string): StreamError {
  return new StreamError('CURSOR_INVALID', { detail: `${JSON.stringify(text.slice(0, 60))} is not a cursor of a channel.` });
}
