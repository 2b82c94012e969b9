import { formatCursor, formatFinalCursor, parseCursor } from './cursor';
import type { Cursor } from './cursor';
import { STREAM_NO_LENGTH } from './stream-no';

/**
 * Records of the compacted topic `rivulet.cursors` ⇄ key and JSON bytes [WATCH-6]. A named session of a stream has two keys, so that
 * compaction, which keeps the last value of a key, never lets an attach take the place of a confirmation.
 */
export type SessionKeyKind = 'attached' | 'confirmed';
export interface SessionKey { kind: SessionKeyKind; streamNo: string; session: string }
/**
 * A connection took the name. Its id is `READER.N`: random per reader, and the N-th connection of that reader, so that an attach which
 * lands late, of a connection the reader has given up, takes the name from nobody.
 */
export interface AttachedValue { connection: string }
/** @property at when it was confirmed first, when that was not when this record was written (broker time, ms) */
export interface ConfirmedValue { cursor: Cursor; at?: number }

const NAME = /^[A-Za-z0-9_.~:@-]{1,128}$/;
const CONNECTION = /^([A-Za-z0-9_-]{8,64})\.([1-9][0-9]{0,8})$/;
/** What a connection id may be, for the text of an error. */
export const CONNECTION_ID_RANGE = 'READER.N: 8 to 64 of the characters A-Z a-z 0-9 _ -, a dot, a number from 1';
/** What a session name may be, for the text of an error. */
export const SESSION_NAME_RANGE = '1 to 128 of the characters A-Z a-z 0-9 _ . ~ : @ -';

export const isSessionName = (text: string): boolean => NAME.test(text);

export const isConnectionId = (text: string): boolean => CONNECTION.test(text);

/** @returns whether both are of one reader, and `a` is no later than `b` */
export function isNoLaterConnection(a: string, b: string): boolean {
  const [, reader, turn] = CONNECTION.exec(a) ?? [];
  const [, otherReader, otherTurn] = CONNECTION.exec(b) ?? [];
  return reader !== undefined && reader === otherReader && Number(turn) <= Number(otherTurn);
}

export function sessionKey(kind: SessionKeyKind, streamNo: string, session: string): string {
  return `${streamNo}/${kind}/${session}`;
}

/** @returns null for a key that is none of ours */
export function parseSessionKey(key: string): SessionKey | null {
  const [streamNo = '', kind, session = ''] = key.split('/');
  if (streamNo.length !== STREAM_NO_LENGTH || (kind !== 'attached' && kind !== 'confirmed') || !isSessionName(session)) return null;
  return { kind, streamNo, session };
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export const cursorText = ({ epoch, sequence, isFinal }: Cursor): string =>
  (isFinal ? formatFinalCursor(epoch, sequence) : formatCursor(epoch, sequence));

export function encodeAttached(value: AttachedValue): Uint8Array {
  return encoder.encode(JSON.stringify(value));
}

export function encodeConfirmed({ cursor, at }: ConfirmedValue): Uint8Array {
  return encoder.encode(JSON.stringify({ cursor: cursorText(cursor), ...(at === undefined ? {} : { at }) }));
}

/** @throws Error when the bytes are not such a value */
export function decodeAttached(bytes: Uint8Array): AttachedValue {
  const { connection } = objectOf(bytes);
  if (typeof connection !== 'string' || !isConnectionId(connection)) throw new Error('Not an attach of a session.');
  return { connection };
}

/** @throws Error when the bytes are not such a value */
export function decodeConfirmed(bytes: Uint8Array): ConfirmedValue {
  const { cursor, at } = objectOf(bytes);
  if (typeof cursor !== 'string' || (at !== undefined && !Number.isSafeInteger(at))) throw new Error('Not a confirmation of a session.');
  return { cursor: parseCursor(cursor), ...(at === undefined ? {} : { at: at as number }) };
}

function objectOf(bytes: Uint8Array): Record<string, unknown> {
  const value: unknown = JSON.parse(decoder.decode(bytes));
  if (typeof value !== 'object' || value === null) throw new Error('Not a JSON object.');
  return value as Record<string, unknown>;
}
