import { StreamError } from '@rivulet/protocol';

const INTERVAL_MS_MAX = 60_000;

export interface WatchQuery {
  /** null: from the beginning. */
  cursor: string | null;
  intervalMs: number;
  isLive: boolean;
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
  return { cursor: cursor ?? null, intervalMs: intervalOf(textOf(given, 'intervalMs')), isLive: isSet(given, 'live') };
}

/** @returns undefined when absent or empty, which is how EventSource sends what it does not have */
function textOf(texts: Texts, name: string): string | undefined {
  const text = texts[name];
  if (Array.isArray(text)) throw new StreamError('OPTIONS_INVALID', { detail: `${name} is given more than once.` });
  return typeof text === 'string' && text !== '' ? text : undefined;
}

function intervalOf(text: string | undefined): number {
  if (text === undefined) return 0;
  const intervalMs = Number(text);
  if (!/^\d+$/.test(text) || intervalMs > INTERVAL_MS_MAX) {
    throw new StreamError('OPTIONS_INVALID', { detail: `intervalMs is a whole number from 0 to ${INTERVAL_MS_MAX}.` });
  }
  return intervalMs;
}

/** `?live`, `?live=`, `?live=true`, `?live=1`; not `?live=false` or `?live=0`. */
function isSet(texts: Texts, name: string): boolean {
  const text = texts[name];
  return text !== undefined && text !== 'false' && text !== '0';
}
