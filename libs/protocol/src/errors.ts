/**
 * The one table of errors. code → HTTP status, WS close code, what the peer does next, text with the remedy.
 * Codes are never renamed or reused; callers match codes, never text. docs/ERRORS.md lists each one, checked by a test.
 */
export type NextStep = 'retry' | 'resume' | 'stop';

export interface ErrorRow {
  /** HTTP status. */
  status: number;
  /** WebSocket close code when the error ends the socket. */
  close: number;
  /** What the peer does next: `retry` the same call later, `resume` from a cursor or `next`, or `stop`. */
  next: NextStep;
  /** What happened and what to do about it. Empty in the client's build for browsers: there the service's own text is shown. */
  text: string;
}

const row = (status: number, next: NextStep, text: string): ErrorRow => ({ status, close: 4000 + status, next, text });

export const ERRORS = {
  STREAM_NO_NOT_ISSUED: row(400, 'stop', 'This streamNo was not issued by this system (made up, altered, or from another installation). Open a stream with POST /v1/streams and send all its fragments with the streamNo of the answer.'),
  BODY_INVALID: row(400, 'stop', 'The body cannot be read as what its Content-Type says. The detail names the place; mend it and send again.'),
  OPTIONS_INVALID: row(400, 'stop', 'An option is missing, unknown or out of range. The detail names it and the range.'),
  UTF8_INVALID: row(400, 'stop', 'A text stream takes only valid UTF-8. Open the stream with contentType application/octet-stream for other bytes.'),
  CURSOR_INVALID: row(400, 'stop', 'The cursor is malformed. Use one this system sent (an SSE id, a `cursor` field), or leave it out to start at the beginning.'),
  FRAME_INVALID: row(400, 'stop', 'The WebSocket frame is not one of the documented ones. The detail says why.'),
  UNAUTHENTICATED: row(401, 'stop', 'No valid credential. Send `Authorization: Bearer <API key or token>`.'),
  TOKEN_EXPIRED: row(401, 'stop', 'The token has expired. Get a new one from whoever opened the stream.'),
  FORBIDDEN: row(403, 'stop', 'The credential is valid but not for this. It needs the scope or role in the detail.'),
  PLUGIN_REFUSED: row(403, 'stop', 'The plugin does not take this request; the detail has its own code and text.'),
  NOT_FOUND: row(404, 'stop', 'No such route. See /openapi.json for what there is.'),
  STREAM_NOT_FOUND: row(404, 'stop', 'This streamNo was issued, but no stream is known under it: its retention ended, or its open is not yet visible.'),
  PLUGIN_NOT_FOUND: row(404, 'stop', 'No plugin of that name is known on this host. GET /v1/admin/plugins lists them.'),
  METHOD_NOT_ALLOWED: row(405, 'stop', 'This route does not take that method. The header Allow and the detail name those it takes.'),
  BODY_TIMEOUT: row(408, 'retry', 'The body did not arrive in time. Send it faster, or in smaller parts; what was acknowledged stays.'),
  STREAM_FINAL: row(409, 'stop', 'The stream is final; nothing can be added. The detail has its status. Open a new stream.'),
  STALE_EPOCH: row(409, 'stop', 'A newer attempt has taken over this stream. Stop; the newer producer continues it.'),
  EPOCH_UNKNOWN: row(409, 'stop', 'No attempt of that epoch has been started. Call POST /v1/streams/:no/retries first and use the epoch of its answer.'),
  WRITER_CONFLICT: row(409, 'stop', 'Another run of the producer holds this epoch. A restarted producer calls POST /v1/streams/:no/retries before it appends.'),
  NUMBERING_MIXED: row(409, 'stop', 'A stream is either numbered (every append has a sequence) or not, from its first append; mixing the two failed it.'),
  GAP_TOO_LARGE: row(409, 'stop', 'Too much was held behind a missing fragment. Send in order, at most heldFragmentsMax ahead of what is acknowledged.'),
  GAP_TIMEOUT: row(409, 'stop', 'A missing fragment did not arrive within gapMsMax, and the stream has failed. Resend what is unacknowledged at once; a producer that cannot calls POST /v1/streams/:no/retries in time.'),
  END_MISMATCH: row(409, 'stop', 'The end does not agree with the fragments: lastSeq below what was sent, no lastSeq while one was missing, fragments above it, or another end before it. Give the sequence of the last fragment you sent.'),
  CHECKSUM_MISMATCH: row(409, 'stop', 'The checksum given with the end is not the one of the accepted bytes: something was changed on its way. The stream has failed; open a new one and send it again.'),
  PLUGIN_CONFLICT: row(409, 'stop', 'Nothing was changed.'),
  STREAM_TOO_LARGE: row(409, 'stop', 'The stream reached streamBytesMax. Open it with a higher limit, or split the content.'),
  RETRY_CONFLICT: row(409, 'stop', 'Another attempt won. Use the epoch in the detail, or leave the stream to the other producer.'),
  ATTEMPTS_EXHAUSTED: row(409, 'stop', 'The stream has had attemptsMax attempts and has failed. Open a new stream.'),
  SESSION_TAKEN: row(409, 'stop', 'A newer connection uses this session name. Close one of them, or use another name.'),
  CURSOR_UNKNOWN: row(409, 'resume', 'The cursor is ahead of everything in the log. Watch again without it.'),
  LOG_LOST: row(409, 'stop', 'Records of this stream are gone from Kafka (log truncated, topic recreated, or another cluster). It has failed; open a new one.'),
  STREAM_GONE: row(410, 'stop', 'The stream and its retention have ended; its content was removed.'),
  CURSOR_EXPIRED: row(410, 'resume', 'What follows this cursor is no longer kept. The detail has the oldest cursor; resume there and tell your reader about the hole.'),
  FRAGMENT_TOO_LARGE: row(413, 'stop', 'A fragment is larger than fragmentBytesMax. Split it; the pipe does that by itself.'),
  BODY_TOO_LARGE: row(413, 'stop', 'The body is larger than this route takes. Send NDJSON or use /v1/pipe for content of any length.'),
  CONTENT_TYPE_UNSUPPORTED: row(415, 'stop', 'Send application/json, application/x-ndjson, or application/octet-stream with Fragment-Seq.'),
  RANGE_NOT_SATISFIABLE: row(416, 'stop', 'The range starts beyond the content. The header Content-Range has its length.'),
  NOT_OWNER: row(421, 'retry', 'This instance does not own the partition of the stream. Ask again; the address is looked up anew.'),
  OVERLOADED: row(429, 'retry', 'A queue is full. Wait for Retry-After and send again; what was acknowledged stays.'),
  QUOTA_EXCEEDED: row(429, 'retry', 'A quota of the API key is used up. The detail names the quota, its limit and the key. With a Retry-After wait for it; open streams are freed only by ending some of yours. Whoever runs this installation can raise the quota.'),
  INTERNAL: row(500, 'retry', 'A fault of ours. The log has it under the request id of this answer.'),
  PLUGIN_FAILED: row(502, 'stop', 'The plugin failed on this call. The detail has its own code and text, its log the rest.'),
  LOG_UNAVAILABLE: row(503, 'retry', 'Kafka does not answer. Nothing of this call was acknowledged; send it again after Retry-After.'),
  NOT_READY: row(503, 'retry', 'This instance is starting or draining. Ask again after Retry-After.'),
  PLUGIN_NOT_RUNNING: row(503, 'retry', 'The plugin is known but runs nowhere now. GET /v1/admin/plugins says why.'),
  ALLOCATOR_UNAVAILABLE: row(503, 'retry', 'The allocator does not answer. Ask again after Retry-After.'),
  RETRY_PENDING: row(504, 'retry', 'The attempt is not decided yet. Ask again with the same attemptId.'),
} as const satisfies Record<string, ErrorRow>;

export type ErrorCode = keyof typeof ERRORS;

/** An operating error: expected in a running system, shown to the peer by its code. Programmer errors are assertions instead. */
export class StreamError extends Error {
  /**
   * By name and code, not by class: the published client carries a copy of this file, and its errors are the same errors to whoever uses
   * both.
   */
  static override [Symbol.hasInstance](value: unknown): boolean {
    return value instanceof Error && value.name === 'StreamError' && (value as StreamError).code in ERRORS;
  }

  constructor(
    readonly code: ErrorCode,
    /** Facts for the peer and the log: never secrets. `retryAfterMs` becomes the Retry-After header, `detail` the problem's detail. */
    readonly details: Readonly<Record<string, unknown>> & { detail?: string; retryAfterMs?: number } = {},
    options?: { cause?: unknown },
  ) {
    super([code, details.detail || ERRORS[code].text].filter((part) => part !== '').join(': '), options);
    this.name = 'StreamError';
  }

  get row(): ErrorRow {
    return ERRORS[this.code];
  }
}

/** RFC 9457 problem+json. Units: retryAfterMs in milliseconds. */
export interface Problem {
  type: string;
  title: string;
  status: number;
  code: ErrorCode;
  detail: string;
  next: NextStep;
  requestId?: string;
  [fact: string]: unknown;
}

/** @returns the problem+json body of an error; anything that is not a StreamError is INTERNAL and shows nothing of its text. */
export function problemOf(error: unknown, requestId?: string): Problem {
  const known = error instanceof StreamError ? error : new StreamError('INTERNAL');
  // The status of the stream must not take the place of the HTTP status, which `status` means in a problem.
  const { detail, status: streamStatus, ...facts } = known.details;
  return {
    ...facts,
    ...(streamStatus === undefined ? {} : { streamStatus }),
    type: `urn:rivulet:error:${known.code}`,
    title: known.code,
    status: known.row.status,
    code: known.code,
    detail: detail ? `${detail} ${known.row.text}` : known.row.text,
    next: known.row.next,
    ...(requestId === undefined ? {} : { requestId }),
  };
}
