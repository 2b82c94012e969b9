import { CONNECTION_ID_RANGE, isConnectionId, isSessionName, SESSION_NAME_RANGE, StreamError } from '@rivulet/protocol';
import type { AckBody } from '@rivulet/protocol';
import type { NamedRequest } from './named-sessions';

export const INTERVAL_MS_MAX = 60_000;
export const ENDED_MAX = 1_000_000;
const WINDOW_MAX = 1_000_000;

export interface WatchQuery {
  /** null: from the beginning. */
  cursor: string | null;
  /** Of a channel: how many of the streams that have ended, the newest; null: all. */
  endedMax: number | null;
  intervalMs: number;
  isLive: boolean;
  /** null: a session without a name. */
  named: NamedRequest | null;
}

type Texts = Readonly<Record<string, unknown>>;

/**
 * What a reader asks for in query and headers. [WATCH-2] Last-Event-ID wins over `?from`: a browser that comes back sends the one, and
 * still has the other in its URL.
 * @throws StreamError OPTIONS_INVALID
 */
export function parseWatchQuery(query: unknown, headers: Texts): WatchQuery {
  const given = (query ?? {}) as Texts;
  const lastEventId = textOf(headers, 'last-event-id');
  const cursor = lastEventId ?? textOf(given, 'from');
  return {
    cursor: cursor ?? null,
    endedMax: wholeOf(given, 'ended', ENDED_MAX) ?? null,
    intervalMs: wholeOf(given, 'intervalMs', INTERVAL_MS_MAX) ?? 0,
    isLive: isSet(given, 'live'),
    named: namedOf(given),
  };
}

/** @throws StreamError BODY_INVALID; the cursor is looked at by whoever knows the stream */
export function parseAck(body: unknown): AckBody {
  const { session, cursor } = (body ?? {}) as Texts;
  if (typeof session !== 'string' || !isSessionName(session)) throw new StreamError('BODY_INVALID', { detail: `session is ${SESSION_NAME_RANGE}.` });
  if (typeof cursor !== 'string') throw new StreamError('BODY_INVALID', { detail: 'cursor is a string: the `cursor` of an event, or its SSE id.' });
  return { session, cursor };
}

/** [WATCH-6] A window counts from what is confirmed, so it needs a name to confirm by. */
function namedOf(given: Texts): NamedRequest | null {
  const session = textOf(given, 'session');
  const window = textOf(given, 'window');
  if (session === undefined) {
    if (window !== undefined) throw new StreamError('OPTIONS_INVALID', { detail: 'window is for a named session: give session too.' });
    return null;
  }
  if (!isSessionName(session)) throw new StreamError('OPTIONS_INVALID', { detail: `session is ${SESSION_NAME_RANGE}.` });
  const connection = textOf(given, 'connection');
  if (connection !== undefined && !isConnectionId(connection)) throw new StreamError('OPTIONS_INVALID', { detail: `connection is ${CONNECTION_ID_RANGE}.` });
  if (window === undefined) return { session, connection };
  if (!/^[1-9]\d{0,6}$/.test(window) || Number(window) > WINDOW_MAX) {
    throw new StreamError('OPTIONS_INVALID', { detail: `window is a whole number from 1 to ${WINDOW_MAX}.` });
  }
  return { session, connection, window: Number(window) };
}

/** @returns undefined when absent or empty, which is how EventSource sends what it does not have */
function textOf(texts: Texts, name: string): string | undefined {
  const text = texts[name];
  if (Array.isArray(text)) throw new StreamError('OPTIONS_INVALID', { detail: `${name} is given more than once.` });
  return typeof text === 'string' && text !== '' ? text : undefined;
}

function wholeOf(texts: Texts, name: string, max: number): number | undefined {
  const text = textOf(texts, name);
  if (text === undefined) return undefined;
  if (!/^\d+$/.test(text) || Number(text) > max) {
    throw new StreamError('OPTIONS_INVALID', { detail: `${name} is a whole number from 0 to ${max}.` });
  }
  return Number(text);
}

/** `?live`, `?live=`, `?live=true`, `?live=1`; not `?live=false` or `?live=0`. */
function isSet(texts: Texts, name: string): boolean {
  const text = texts[name];
  return text !== undefined && text !== 'false' && text !== '0';
}
