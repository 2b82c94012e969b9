import type { OpenOptions, OpenedStream, StreamSummary, VerdictReply } from '@rivulet/protocol';
import type { Target } from './target';

/** One event, on a loaded machine. */
const EVENT_MS_MAX = 60_000;

/** Plain HTTP, as any client in any language would speak it. Nothing here resends, numbers or resumes by itself. */
export interface Answer {
  status: number;
  headers: Headers;
  text: string;
  // Checked by the tests, field by field.
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  json: any;
}
export interface CallOptions {
  token?: string;
  headers?: Record<string, string>;
  body?: RequestInit['body'];
  json?: unknown;
  signal?: AbortSignal;
}

export class Raw {
  constructor(readonly target: Target) {}

  async call(method: string, path: string, options: CallOptions = {}): Promise<Answer> {
    const response = await this.response(method, path, options);
    const text = await response.text();
    const isJson = /[/+]json/.test(response.headers.get('content-type') ?? '');
    return { status: response.status, headers: response.headers, text, json: isJson ? JSON.parse(text) : undefined };
  }

  response(method: string, path: string, options: CallOptions = {}): Promise<Response> {
    const { token = this.target.apiKey, headers = {}, body, json, signal } = options;
    const own: Record<string, string> = token === '' ? {} : { authorization: `Bearer ${token}` };
    if (json !== undefined) own['content-type'] = 'application/json';
    const isStream = body instanceof ReadableStream;
    const init = { method, signal, headers: { ...own, ...headers }, body: json === undefined ? body : JSON.stringify(json) };
    return fetch(this.target.url + path, isStream ? { ...init, duplex: 'half' } as RequestInit : init);
  }

  async open(options: OpenOptions = {}, headers: Record<string, string> = {}): Promise<OpenedStream> {
    const answer = await this.call('POST', '/v1/streams', { json: options, headers });
    if (answer.status !== 201) throw new Error(`open: ${answer.status} ${answer.text}`);
    return answer.json as OpenedStream;
  }

  append(stream: OpenedStream, json: unknown, headers: Record<string, string> = {}): Promise<Answer> {
    return this.call('POST', `/v1/streams/${stream.streamNo}/fragments`, { token: stream.writeToken, json, headers });
  }

  post(stream: OpenedStream, verb: string, json: unknown = {}, token = stream.writeToken): Promise<Answer> {
    return this.call('POST', `/v1/streams/${stream.streamNo}/${verb}`, { token, json });
  }

  /** Appends texts, numbered from 1, and ends the stream. */
  async write(texts: string[], options: OpenOptions = {}): Promise<OpenedStream> {
    const stream = await this.open(options);
    for (const [index, text] of texts.entries()) {
      const answer = await this.append(stream, { seq: index + 1, data: text });
      if (answer.status !== 200) throw new Error(`append: ${answer.status} ${answer.text}`);
    }
    await this.verdict(stream, 'end', { lastSeq: texts.length });
    return stream;
  }

  async verdict(stream: OpenedStream, verb: string, json: unknown): Promise<VerdictReply> {
    const answer = await this.post(stream, verb, json);
    if (answer.status !== 200) throw new Error(`${verb}: ${answer.status} ${answer.text}`);
    return answer.json as VerdictReply;
  }

  async state(streamNo: string): Promise<StreamSummary> {
    return (await this.call('GET', `/v1/watch/${streamNo}`)).json as StreamSummary;
  }

  /** The whole content of a stream that is, or will be, final. */
  async content(streamNo: string): Promise<string> {
    return (await this.call('GET', `/v1/watch/${streamNo}/content?live`, { signal: AbortSignal.timeout(EVENT_MS_MAX) })).text;
  }
}

export interface SseEvent {
  event: string;
  id: string;
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  data: any;
}

/** One SSE connection, read event by event. */
export class Sse {
  private rest = '';
  /** Comments and `retry:` lines, as they came. */
  readonly comments: string[] = [];
  private readonly reader: ReadableStreamDefaultReader<Uint8Array>;
  private readonly decoder = new TextDecoder();

  private constructor(readonly response: Response, private readonly abort: AbortController) {
    if (response.body === null) throw new Error('no body');
    this.reader = response.body.getReader();
  }

  static async connect(raw: Raw, path: string, options: CallOptions = {}): Promise<Sse> {
    const abort = new AbortController();
    const headers = { accept: 'text/event-stream', ...options.headers };
    return new Sse(await raw.response('GET', path, { ...options, headers, signal: abort.signal }), abort);
  }

  /** @returns the next event, or null when the service closed the connection. @throws after EVENT_MS_MAX without one */
  async next(): Promise<SseEvent | null> {
    const timer = setTimeout(() => this.abort.abort(new Error(`no event within ${EVENT_MS_MAX} ms`)), EVENT_MS_MAX);
    try {
      for (;;) {
        const end = this.rest.indexOf('\n\n');
        if (end >= 0) {
          const event = this.parse(this.rest.slice(0, end));
          this.rest = this.rest.slice(end + 2);
          if (event !== null) return event;
          continue;
        }
        const { done, value } = await this.reader.read();
        if (done) return null;
        this.rest += this.decoder.decode(value, { stream: true }).replace(/\r\n/g, '\n');
      }
    } finally {
      clearTimeout(timer);
    }
  }

  /** Events up to and including the first of this type. */
  async until(type: string): Promise<SseEvent[]> {
    const events: SseEvent[] = [];
    for (let event = await this.next(); event !== null; event = await this.next()) {
      events.push(event);
      if (event.event === type) return events;
    }
    throw new Error(`closed before ${type}: ${JSON.stringify(events)}`);
  }

  close(): void {
    this.abort.abort();
  }

  private parse(block: string): SseEvent | null {
    const event: SseEvent = { event: 'message', id: '', data: null };
    let isEvent = false;
    for (const line of block.split('\n')) {
      if (line.startsWith(':') || line.startsWith('retry:')) this.comments.push(line);
      else if (line.startsWith('event: ')) event.event = line.slice(7);
      else if (line.startsWith('id: ')) event.id = line.slice(4);
      else if (line.startsWith('data: ')) {
        event.data = JSON.parse(line.slice(6));
        isEvent = true;
      }
    }
    return isEvent ? event : null;
  }
}

/** Text of the fragments among events; checks on the way that they are in order without a hole [WATCH-1]. */
export function textOf(events: SseEvent[], last = 0): string {
  let text = '';
  for (const { event, data } of events) {
    if (event === 'rewind') {
      text = '';
      last = 0;
    }
    if (event !== 'fragment') continue;
    if (data.from !== last + 1) throw new Error(`fragment ${data.from} after ${last}`);
    last = data.to;
    text += data.text;
  }
  return text;
}
