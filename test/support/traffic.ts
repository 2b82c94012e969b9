/** Producers and sessions for tests that break things: one resends until it is acknowledged, the other resumes until the final event. */
import { setTimeout as elapse } from 'node:timers/promises';
import { rivulet } from '@rivulet/client';
import type { OpenOptions, OpenedStream, ReaderEvent } from '@rivulet/protocol';
import type { Acknowledged, Observed } from './history';
import type { System } from './system';

/** Of what hangs. */
const GIVE_UP_MS = 300_000;

export interface ProduceOptions {
  fragments: number;
  intervalMs: number;
  open?: OpenOptions;
  onOpened?(streamNo: string): void;
  onAcknowledged?(entry: Acknowledged): void;
}

export interface Answer { url: string; status: number; text: string }

/** One try. An answer that breaks off is none: its body counts as much as its status. */
async function postOnce(url: string, token: string, body: unknown, idempotencyKey: string): Promise<Answer> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', ...(idempotencyKey ? { 'idempotency-key': idempotencyKey } : {}) },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(20_000),
  });
  return { url, status: response.status, text: await response.text() };
}

/** Repeats a call over raw HTTP until it is answered for good: the plainest producer that keeps the rules [APPEND-3]. */
export async function post(url: string, token: string, body: unknown, idempotencyKey = ''): Promise<Answer> {
  const deadline = Date.now() + GIVE_UP_MS;
  for (let wait = 20; ; wait = Math.min(500, wait * 2)) {
    const answer = await postOnce(url, token, body, idempotencyKey).catch((error: unknown) => error as Error);
    if (!(answer instanceof Error) && answer.status < 429) return answer;
    if (Date.now() > deadline) throw new Error(`gave up on ${url}: ${answer instanceof Error ? answer.cause ?? answer : `${answer.status} ${answer.text}`}`);
    await elapse(wait);
  }
}

export function expectStatus({ url, status, text }: Answer, ...statuses: number[]): unknown {
  if (!statuses.includes(status)) throw new Error(`${url}: ${status} ${text}`);
  return JSON.parse(text);
}

/** Opens a stream, appends numbered fragments one by one, each awaited, and ends it. @returns the streamNo */
export async function produce(system: Pick<System, 'urls' | 'apiKey'>, options: ProduceOptions): Promise<string> {
  const { ingest } = system.urls;
  const key = crypto.randomUUID();
  const opened = expectStatus(await post(`${ingest}/v1/streams`, system.apiKey, options.open ?? {}, key), 201) as OpenedStream;
  const { streamNo, writeToken, epoch } = opened;
  options.onOpened?.(streamNo);
  for (let sequence = 1; sequence <= options.fragments; sequence++) {
    const text = `${sequence}:${'·'.repeat(sequence % 7)} `;
    expectStatus(await post(`${ingest}/v1/streams/${streamNo}/fragments`, writeToken, { seq: sequence, data: text }), 200);
    options.onAcknowledged?.({ streamNo, epoch, sequence, payload: Buffer.from(text) });
    await elapse(options.intervalMs);
  }
  expectStatus(await post(`${ingest}/v1/streams/${streamNo}/end`, writeToken, { lastSeq: options.fragments }), 200, 202);
  return streamNo;
}

/** Watches a stream by the SDK over each transport until its final event; each watch adds one entry to `observed`. */
export function watchAll(
  system: Pick<System, 'urls' | 'apiKey'>, streamNo: string, transports: ('sse' | 'ws')[], name: string, observed: Observed[],
): void {
  for (const transport of transports) {
    const events: ReaderEvent[] = [];
    const client = rivulet({ url: system.urls.fanout, token: system.apiKey });
    const finished = (async () => {
      for await (const event of client.watch(streamNo, { transport, signal: AbortSignal.timeout(GIVE_UP_MS) })) events.push(event);
    })();
    finished.catch(() => undefined); // awaited later by the test; must not crash the process before
    observed.push({ session: `${name} ${transport}`, streamNo, events, finished });
  }
}
