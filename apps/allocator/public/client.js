// The wire, as a page needs it: calls, a resuming reader and a numbered writer. The SDK (libs/client) does the same for programs.

/** Code, text with the remedy, and what to do next, as the service said. */
export class Problem extends Error {
  constructor({ code, detail, next, retryAfterMs = 0 }) {
    super(detail);
    this.code = code;
    this.next = next;
    this.retryAfterMs = retryAfterMs;
  }
}

const FINAL_STATUSES = [401, 403, 404, 409, 410, 413, 415];

async function problemOf(response) {
  const text = await response.text();
  const retryAfterMs = Number(response.headers.get('retry-after') ?? 0) * 1000;
  try {
    return new Problem({ retryAfterMs, ...JSON.parse(text) });
  } catch {
    const next = FINAL_STATUSES.includes(response.status) ? 'stop' : 'retry';
    return new Problem({ code: `HTTP ${response.status}`, detail: 'The answer came from something in between (a proxy?), not from Rivulet.', next, retryAfterMs });
  }
}

/** @returns the response of any status below 400. Throws a Problem; next is `retry` when nothing answered. */
export async function call(key, method, path, { body, headers = {}, signal } = {}) {
  let response;
  try {
    const json = body === undefined ? {} : { 'content-type': 'application/json' };
    response = await fetch(path, { method, body, signal, cache: 'no-store', headers: { authorization: `Bearer ${key}`, ...json, ...headers } });
  } catch (cause) {
    if (signal?.aborted) throw cause;
    throw new Problem({ code: 'NO_ANSWER', detail: 'The service does not answer. Is it running? This page keeps trying where it can.', next: 'retry' });
  }
  if (response.ok) return response;
  throw await problemOf(response);
}

export const wait = (ms, signal) => new Promise((resolve, reject) => {
  const timer = setTimeout(resolve, ms);
  signal?.addEventListener('abort', () => { clearTimeout(timer); reject(signal.reason); }, { once: true });
});

/** Doubling, half of it random, on top of what the service asked for. */
const pauseMs = (failures, atLeastMs) => atLeastMs + Math.min(2000, 200 * 2 ** failures) * (0.5 + Math.random() / 2);

// ---- reading ----

async function* sse(body, gate) {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest = '';
  for (;;) {
    // While the pane is paused nothing is read: the service sees a reader that lags, and waits for it.
    await gate();
    const { done, value } = await reader.read();
    if (done) return;
    rest += decoder.decode(value, { stream: true });
    const blocks = rest.split(/\r?\n\r?\n/);
    rest = blocks.pop();
    for (const block of blocks) {
      const event = { type: 'message', id: '', data: '', retryMs: 0 };
      for (const line of block.split(/\r?\n/)) {
        const [, name, field] = /^([a-z]+): ?(.*)$/.exec(line) ?? [];
        if (name === 'event') event.type = field;
        else if (name === 'id') event.id = field;
        else if (name === 'retry') event.retryMs = Number(field);
        else if (name === 'data') event.data += field;
      }
      yield event;
    }
  }
}

/**
 * Events of a stream until `final`, through any number of reconnects: each connection goes on after the last cursor.
 * @param onConnection called with `connected` and `reconnecting`
 * @param gate awaited before each read
 */
export async function* watch(key, streamNo, { cursor = '', signal, onConnection, gate }) {
  for (let failures = 0; ; failures += 1) {
    let atLeastMs = 0;
    try {
      const headers = { accept: 'text/event-stream', ...(cursor === '' ? {} : { 'last-event-id': cursor }) };
      const response = await call(key, 'GET', `/v1/watch/${encodeURIComponent(streamNo)}/events`, { headers, signal });
      if (response.status === 204) return;
      onConnection('connected');
      for await (const event of sse(response.body, gate)) {
        atLeastMs = event.retryMs || atLeastMs;
        if (event.data === '') continue;
        const fields = JSON.parse(event.data);
        if (event.type === 'unavailable' || event.type === 'problem') throw new Problem({ retryAfterMs: atLeastMs, ...fields });
        if (event.id !== '') {
          cursor = event.id;
          failures = 0;
        }
        yield { ...fields, type: event.type, cursor: event.id };
        if (event.type === 'final') return;
      }
    } catch (error) {
      if (signal.aborted) throw error;
      if (error instanceof Problem && error.next !== 'retry') throw error;
      atLeastMs = error.retryAfterMs ?? 0;
    }
    onConnection('reconnecting');
    await wait(pauseMs(failures, atLeastMs), signal);
  }
}

// ---- writing ----

const encoder = new TextEncoder();
const TABLE = Uint32Array.from({ length: 256 }, (_, index) => {
  let value = index;
  for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  return value;
});

export function crc32(text, previous = 0) {
  let checksum = ~previous;
  for (const byte of encoder.encode(text)) checksum = TABLE[(checksum ^ byte) & 255] ^ (checksum >>> 8);
  return ~checksum >>> 0;
}

export const byteLength = (text) => encoder.encode(text).length;

const HEARTBEAT_MS = 3000;

/** Numbered appends, one POST at a time: what is written meanwhile goes with the next. Resends the same bytes until acknowledged. */
export class Writer {
  constructor(opened, onFailure) {
    this.opened = opened;
    this.onFailure = onFailure;
    this.run = crypto.getRandomValues(new Uint32Array(4)).join('-');
    this.sequence = 0;
    this.checksum = 0;
    this.waiting = '';
    this.sending = null;
    this.stop = new AbortController();
    this.heartbeat = setInterval(() => this.beat(), HEARTBEAT_MS);
  }

  write(text) {
    this.waiting += text;
    this.sending ??= this.drain();
  }

  async end() {
    await this.sending;
    const reply = await this.post('end', { lastSeq: this.sequence, checksum: this.checksum });
    this.close();
    return reply;
  }

  close(reason = new Error('closed')) {
    clearInterval(this.heartbeat);
    this.stop.abort(reason);
  }

  async drain() {
    try {
      while (this.waiting !== '') {
        const text = this.waiting;
        this.waiting = '';
        this.sequence += 1;
        this.checksum = crc32(text, this.checksum);
        await this.post('fragments', { seq: this.sequence, data: text });
      }
    } catch (error) {
      this.fail(error);
    } finally {
      this.sending = null;
    }
  }

  async beat() {
    if (this.sending !== null) return;
    try {
      await this.post('heartbeat', {});
    } catch (error) {
      this.fail(error);
    }
  }

  /** A stream that was cancelled or taken over takes nothing more: stop, and say so once. */
  fail(error) {
    if (this.stop.signal.aborted) return;
    this.close(error);
    this.onFailure(error);
  }

  async post(verb, body) {
    const text = JSON.stringify(body);
    for (let failures = 0; ; failures += 1) {
      try {
        const headers = { 'writer-run': this.run };
        const options = { body: text, headers, signal: this.stop.signal };
        const response = await call(this.opened.writeToken, 'POST', `/v1/streams/${this.opened.streamNo}/${verb}`, options);
        if (response.status !== 202) return response.json();
        await wait(200, this.stop.signal);
      } catch (error) {
        if (!(error instanceof Problem) || error.next !== 'retry') throw error;
        await wait(pauseMs(failures, error.retryAfterMs), this.stop.signal);
      }
    }
  }
}
