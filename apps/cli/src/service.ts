import { ERRORS, StreamError } from '@rivulet/protocol';
import type { ErrorCode } from '@rivulet/protocol';
import { rivulet } from '@rivulet/client';
import type { Rivulet } from '@rivulet/client';
import type { ServicePlace } from './settings';

/** How long a call may take, and how long a service that does not answer is asked again, ms. */
const CALL_MS_MAX = 10_000;
const GIVE_UP_MS = 5_000;

/** The SDK, given up soon: somebody waits at the prompt. Streams that are under way have bounds of their own. */
export const clientOf = ({ url, token }: ServicePlace): Rivulet => rivulet({ url, token, giveUpMs: GIVE_UP_MS });

export interface Answer { status: number; headers: Headers; body: unknown; tookMs: number }
/** A body of bytes goes as it is, with the content type that the headers say; any other as JSON. */
export interface CallOptions { method?: string; body?: unknown; token?: string; headers?: Record<string, string>; msMax?: number }

/** One call whatever its answer is. @throws StreamError NOT_READY when there is none */
export async function ask(place: ServicePlace, path: string, options: CallOptions = {}): Promise<Answer> {
  const { method = 'GET', body, token = place.token, headers = {}, msMax = CALL_MS_MAX } = options;
  const isRaw = body instanceof Uint8Array;
  const startedAt = performance.now();
  try {
    const response = await fetch(place.url + path, {
      method,
      signal: AbortSignal.timeout(msMax),
      headers: {
        ...(token === '' ? {} : { authorization: `Bearer ${token}` }), ...(body === undefined || isRaw ? {} : { 'content-type': 'application/json' }), ...headers,
      },
      ...(body === undefined ? {} : { body: isRaw ? body as Uint8Array<ArrayBuffer> : JSON.stringify(body) }),
    });
    const text = await response.text();
    return { status: response.status, headers: response.headers, body: parsed(text), tookMs: performance.now() - startedAt };
  } catch (cause) {
    throw new StreamError('NOT_READY', { detail: `No answer from ${place.url} (${reasonOf(cause)}).` }, { cause });
  }
}

/** @returns the body of a 2xx answer. @throws StreamError what the service said */
export async function call<T>(place: ServicePlace, path: string, options: CallOptions = {}): Promise<T> {
  const answer = await ask(place, path, options);
  if (answer.status >= 200 && answer.status < 300) return answer.body as T;
  throw problemIn(answer);
}

/** The error that an answer stands for. */
export function problemIn({ status, body }: Pick<Answer, 'status' | 'body'>): StreamError {
  const { code, detail } = (body ?? {}) as { code?: string; detail?: string };
  if (code !== undefined && code in ERRORS) return new StreamError(code as ErrorCode, { detail });
  const known: ErrorCode = status === 401 ? 'UNAUTHENTICATED' : status === 403 ? 'FORBIDDEN' : status >= 500 ? 'NOT_READY' : 'NOT_FOUND';
  return new StreamError(known, { detail: `HTTP ${status} from something that is not Rivulet, or from a proxy before it.` });
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null; // a page of a proxy: the status says enough
  }
}

function reasonOf(cause: unknown): string {
  const inner = cause instanceof Error && cause.cause instanceof Error ? cause.cause : cause;
  return (inner as { code?: string }).code ?? (inner instanceof Error ? inner.message : String(inner));
}
