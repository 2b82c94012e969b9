import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { crc32 } from 'node:zlib';
import type { ReaderEvent } from '@rivulet/protocol';
import { Confirmer } from './confirmer';
import { Watching } from './watching';

let server: Server | undefined;
afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

interface Service { url: string; acks: string[]; queries: URLSearchParams[]; answerAck: (response: ServerResponse, cursor: string) => void }

/** A service that answers the n-th connection of a reader as told, and keeps what was confirmed. */
async function service(events: (n: number) => string): Promise<Service> {
  const made: Service = {
    url: '', acks: [], queries: [],
    answerAck: (response, cursor) => void response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ cursor })),
  };
  server = createServer((request: IncomingMessage, response) => {
    const url = new URL(request.url!, 'http://x');
    if (!url.pathname.endsWith('/ack')) {
      response.writeHead(200, { 'content-type': 'text/event-stream' }).end(events(made.queries.push(url.searchParams)));
      return;
    }
    let body = '';
    request.on('data', (part) => (body += String(part))).on('end', () => {
      const { session, cursor } = JSON.parse(body) as { session: string; cursor: string };
      expect(session).toBe('me');
      made.acks.push(cursor);
      made.answerAck(response, cursor);
    });
  });
  await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
  made.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return made;
}

const facts = { status: 'open', epoch: 1, attempt: 1, contentType: 'text/plain', merge: 'text', channel: '', metadata: {} };
const stream = (confirmed: string | null): string => `event: stream\ndata: ${JSON.stringify({ ...facts, confirmed })}\n\n`;
const fragment = (from: number, to = from): string => `id: 1.${to}\nevent: fragment\ndata: ${JSON.stringify({ from, to, text: 'x'.repeat(to - from + 1) })}\n\n`;
const probe = 'event: probe\ndata: {"confirmed":null}\n\n';
const final = (sequence: number): string => `id: 1.${sequence}.f\nevent: final\ndata: ${JSON.stringify({
  status: 'ended', reason: '', message: '', epoch: 1, sequence, bytes: sequence, checksum: crc32('x'.repeat(sequence)), digest: '', metadata: {}, at: 0,
})}\n\n`;
const watching = (url: string, options = {}): Watching => new Watching({ url, token: 't', fetch }, 's', { session: 'me', ...options });
async function collect(one: Watching, each: (event: ReaderEvent) => Promise<void> | void = () => undefined): Promise<string[]> {
  const seen: string[] = [];
  for await (const event of one) {
    seen.push('cursor' in event ? event.cursor : event.type);
    await each(event);
  }
  return seen;
}

test('[WATCH-6] a named reader goes on after what it confirmed, and leaves out what comes again and what it is asked', async () => {
  const { url, acks, queries } = await service(() => stream('1.3') + fragment(4, 5) + probe + fragment(4) + fragment(5) + fragment(6) + final(6));
  expect(await collect(watching(url))).toEqual(['stream', '1.5', '1.6', '1.6.f']);
  expect(acks.at(-1)).toBe('1.6.f');
  expect(queries[0]!.toString()).toMatch(/^session=me&connection=[0-9a-f-]{36}\.1&window=256$/);
});

test('[WATCH-6] of a latest stream what comes again may be newer: it is taken as what it adds', async () => {
  const latest = (from: number, to: number): string => `id: 1.${to}\nevent: fragment\ndata: ${JSON.stringify({ from, to, items: [to] })}\n\n`;
  const { url } = await service(() => stream(null).replace('"text"', '"latest"') + latest(1, 3) + probe + latest(1, 5) + final(5));
  const seen: unknown[] = [];
  await collect(watching(url), (event) => void (event.type === 'fragment' && seen.push([event.from, event.to, event.items])));
  expect(seen).toEqual([[1, 3, [3]], [4, 5, [5]]]);
});

test('[WATCH-6] auto: what the consumer has not asked to go on from is not confirmed; the loop is over when the end is', async () => {
  const { url, acks } = await service(() => stream(null) + fragment(1) + fragment(2) + fragment(3));
  for await (const event of watching(url)) if (event.type === 'fragment' && event.to === 2) break;
  expect(acks).toEqual(['1.1']);
  await collect(watching(url, { window: 4 }), (event) => {
    if (event.type === 'fragment' && event.to === 3) throw new Error('cannot be stored');
  }).catch((error: Error) => expect(error.message).toBe('cannot be stored'));
  expect(acks.slice(1).at(-1)).toBe('1.2');
});

test('[WATCH-6] manual: nothing is confirmed but what is said, and it is durable when that returns', async () => {
  const { url, acks } = await service(() => stream(null) + fragment(1) + fragment(2) + final(2));
  const one = watching(url, { ack: 'manual' });
  await collect(one, async (event) => {
    if (event.type === 'fragment') await one.ack(event);
  });
  expect(acks).toEqual(['1.1', '1.2']);
  await one.ack('1.2.f');
  expect(acks).toEqual(['1.1', '1.2', '1.2.f']);
  await expect(new Watching({ url, token: 't', fetch }, 's', {}).ack('1.1')).rejects.toMatchObject({ code: 'OPTIONS_INVALID' });
});

test('[WATCH-6] a confirmation is resent until it is durable; one that is refused for good ends the loop', async () => {
  const one = await service(() => stream(null) + fragment(1) + final(1));
  one.answerAck = (response) => {
    if (one.acks.length === 1) response.writeHead(503, { 'content-type': 'application/problem+json' }).end('{"code":"LOG_UNAVAILABLE"}');
    else response.writeHead(409, { 'content-type': 'application/problem+json' }).end('{"code":"CURSOR_UNKNOWN"}');
  };
  await expect(collect(watching(one.url))).rejects.toMatchObject({ code: 'CURSOR_UNKNOWN' });
  expect(one.acks).toEqual(['1.1.f', '1.1.f']);
});

test('confirmations that come while one is on its way are one, the furthest', async () => {
  const made = await service(() => '');
  const confirmer = new Confirmer({ endpoint: { url: made.url, token: 't', fetch }, streamNo: 's', session: 'me', burst: 64 });
  await Promise.all(['1.1', '1.9', '1.12', '1.3'].map((cursor) => confirmer.confirm(cursor)));
  expect(made.acks).toEqual(['1.1', '1.12']);
});

test('[WATCH-6] SESSION_TAKEN is not transient: the older reader stops', async () => {
  const taken = 'event: problem\ndata: {"code":"SESSION_TAKEN","status":409,"streamNo":"s","session":"me"}\n\n';
  const { url, queries } = await service(() => stream(null) + fragment(1) + taken);
  await expect(collect(watching(url))).rejects.toMatchObject({ code: 'SESSION_TAKEN' });
  expect(queries).toHaveLength(1);
});
