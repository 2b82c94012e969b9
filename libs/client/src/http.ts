import { ERRORS, StreamError } from '@rivulet/protocol';
import type { ErrorCode } from '@rivulet/protocol';

/** A token, or what gives one: asked before each call and connection, so it keeps its own as long as that is good. */
export type Token = string | (() => string | Promise<string>);

export interface Endpoint {
  /** Base URL without a slash at its end. */
  url: string;
  fetch: typeof fetch;
}
export interface Call {
  method: 'GET' | 'POST';
  path: string;
  token: Token;
  headers?: Record<string, string>;
  /** Encoded once by the caller, so that a resend is byte-identical [APPEND-3]: a text is JSON. */
  body?: string | Uint8Array;
  signal?: AbortSignal;
  /** request() only: bound of one try, its answer included, ms. */
  answerMsMax?: number;
}

/** Far above the slowest answer (a verdict: 5 s). A host that vanished without a word is otherwise noticed after minutes. */
const ANSWER_MS_MAX = 15_000;

/**
 * For answers that are not ours: a proxy's own page, a load balancer's 502, the bare 408 of a server whose client's network hung in the
 * middle of a request.
 */
const CODE_OF_STATUS: Record<number, ErrorCode> = {
  401: 'UNAUTHENTICATED', 403: 'FORBIDDEN', 404: 'NOT_FOUND', 408: 'BODY_TIMEOUT', 413: 'BODY_TOO_LARGE', 429: 'OVERLOADED',
  502: 'NOT_READY', 503: 'NOT_READY', 504: 'NOT_READY',
};

/** @throws StreamError NOT_READY, with the cause, when what gives tokens fails: it is asked again like a service that is away */
export async function tokenOf(token: Token): Promise<string> {
  try {
    return typeof token === 'function' ? await token() : token;
  } catch (cause) {
    throw cause instanceof StreamError ? cause : new StreamError('NOT_READY', { detail: `No token (${reasonOf(cause)}).` }, { cause });
  }
}

/** Whether a watch goes on though its token has expired: if another is to be had, and the one it came with was not expired too. */
export class Renewal {
  private isTried = false;

  constructor(private readonly token: Token) {}

  /** It was good for something. */
  worked(): void {
    this.isTried = false;
  }

  helps(error: unknown): boolean {
    const isExpired = error instanceof StreamError && error.code === 'TOKEN_EXPIRED';
    if (!isExpired || this.isTried || typeof this.token !== 'function') return false;
    this.isTried = true;
    return true;
  }
}

/**
 * @returns the response, whatever its status.
 * @throws StreamError NOT_READY when nothing answered; the abort reason when the caller aborted.
 */
export async function send(endpoint: Endpoint, call: Call): Promise<Response> {
  const headers: Record<string, string> = { authorization: `Bearer ${await tokenOf(call.token)}`, ...call.headers };
  if (call.body !== undefined) headers['content-type'] = typeof call.body === 'string' ? 'application/json' : 'application/octet-stream';
  const url = endpoint.url + call.path;
  try {
    return await endpoint.fetch(url, { method: call.method, headers, body: call.body, signal: call.signal });
  } catch (cause) {
    if (call.signal?.aborted) throw call.signal.reason;
    throw new StreamError('NOT_READY', { detail: `No answer from ${endpoint.url} (${reasonOf(cause)}).` }, { cause });
  }
}

/**
 * @returns the JSON of a 2xx answer.
 * @throws StreamError as the service said, or NOT_READY when the answer broke off or did not come in time
 */
export async function request<T>(endpoint: Endpoint, call: Call): Promise<T> {
  const { signal: outer, answerMsMax = ANSWER_MS_MAX } = call;
  if (outer?.aborted) throw outer.reason;
  // By hand: AbortSignal.any keeps its sources' dependants, and a producer's signal lives through very many calls.
  const limit = new AbortController();
  const stop = (): void => limit.abort(outer?.reason);
  outer?.addEventListener('abort', stop, { once: true });
  const timer = setTimeout(() => limit.abort(new StreamError('NOT_READY', { detail: `No answer from ${endpoint.url} within ${answerMsMax} ms.` })), answerMsMax);
  try {
    const response = await send(endpoint, { ...call, signal: limit.signal });
    if (!response.ok) throw await errorOf(response);
    return await jsonOf<T>(endpoint, response, limit.signal);
  } finally {
    clearTimeout(timer);
    outer?.removeEventListener('abort', stop);
  }
}

async function jsonOf<T>(endpoint: Endpoint, response: Response, signal: AbortSignal): Promise<T> {
  try {
    return (await response.json()) as T;
  } catch (cause) {
    if (signal.aborted) throw signal.reason;
    throw new StreamError('NOT_READY', { detail: `The answer of ${endpoint.url} broke off.` }, { cause });
  }
}

/** @returns the StreamError an unsuccessful response stands for, made from its problem+json. */
export async function errorOf(response: Response): Promise<StreamError> {
  const text = await response.text().catch(() => '');
  const retryAfterMs = retryAfterHeader(response.headers.get('retry-after'));
  return problemToError(parseObject(text), response.status, retryAfterMs);
}

/** @param problem problem+json as received, or null when the body was something else */
export function problemToError(problem: Record<string, unknown> | null, status: number, retryAfterMs = 0): StreamError {
  const code = problem?.['code'];
  if (problem === null || typeof code !== 'string' || !(code in ERRORS)) {
    const known = CODE_OF_STATUS[status] ?? (status >= 500 ? 'INTERNAL' : 'BODY_INVALID');
    return new StreamError(known, { detail: `HTTP ${status}.`, ...(retryAfterMs > 0 ? { retryAfterMs } : {}) });
  }
  const { type: _type, title: _title, status: _status, code: _code, next: _next, streamStatus, ...facts } = problem;
  const own = { ...(retryAfterMs > 0 ? { retryAfterMs } : {}), ...(streamStatus === undefined ? {} : { status: streamStatus }) };
  return new StreamError(code as ErrorCode, { ...own, ...facts });
}

/** @returns ms; Retry-After is seconds or an HTTP date. */
export function retryAfterHeader(value: string | null, now = Date.now()): number {
  if (value === null) return 0;
  const seconds = Number(value);
  if (Number.isFinite(seconds)) return Math.max(0, seconds * 1000);
  const at = Date.parse(value);
  return Number.isNaN(at) ? 0 : Math.max(0, at - now);
}

function parseObject(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : null;
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}

export function reasonOf(cause: unknown): string {
  const inner = cause instanceof Error && cause.cause instanceof Error ? cause.cause : cause;
  const code = (inner as { code?: unknown }).code;
  return typeof code === 'string' ? code : inner instanceof Error ? inner.message : String(inner);
}
