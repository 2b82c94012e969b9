import { createHash } from 'node:crypto';
import net from 'node:net';
import type { AddressInfo } from 'node:net';
import { startRivulet } from '@rivulet/standalone';
import type { RunningRivulet } from '@rivulet/standalone';
import type { ReaderEvent } from '@rivulet/protocol';
import { CuttingProxy } from '../../../test/support/cutting-proxy';
import { eventually } from '../../../test/support/eventually';
import { rivulet } from './rivulet';
import type { Rivulet } from './rivulet';

let system: RunningRivulet;
let client: Rivulet;
beforeAll(async () => {
  system = await startRivulet({ env: { RIVULET_LOG_LEVEL: 'error' } });
  client = rivulet({ url: system.url, token: system.apiKey });
});
afterAll(() => system.stop());

const TRANSPORTS = ['sse', 'ws'] as const;
const words = Array.from({ length: 300 }, (_, index) => `${index} 字🌊 `);

/** A way to the system that breaks every connection again and again, in the middle of whatever is on it. */
async function brittleWay(intervalMs: number): Promise<{ url: string; cuts: () => number; stop: () => void }> {
  const target = new URL(system.url);
  const sockets = new Set<net.Socket>();
  let cuts = 0;
  const server = net.createServer((incoming) => {
    const outgoing = net.connect(Number(target.port), target.hostname);
    for (const [one, other] of [[incoming, outgoing], [outgoing, incoming]] as const) {
      sockets.add(one);
      one.pipe(other);
      one.on('error', () => other.destroy());
      one.on('close', () => {
        sockets.delete(one);
        other.destroy();
      });
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const timer = setInterval(() => {
    for (const socket of sockets) {
      cuts += 1;
      socket.resetAndDestroy();
    }
  }, intervalMs);
  const stop = (): void => {
    clearInterval(timer);
    for (const socket of sockets) socket.destroy();
    server.close();
  };
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, cuts: () => cuts, stop };
}

async function collect(watching: AsyncIterable<ReaderEvent>): Promise<ReaderEvent[]> {
  const events: ReaderEvent[] = [];
  for await (const event of watching) events.push(event);
  return events;
}

test.each(TRANSPORTS)('what is written is what is read, over %s, live and later, sealed end to end', async (transport) => {
  const producer = await client.open({ channel: 'c', metadata: { a: 1 } });
  const live = client.watch(producer.streamNo, { transport, readToken: producer.readToken }).text();
  for (const word of words) await producer.write(word);
  const verdict = await producer.end({ model: 'm' });
  const text = words.join('');
  expect(verdict).toMatchObject({ status: 'ended', sequence: words.length, bytes: Buffer.byteLength(text) });
  expect(await live).toBe(text);
  expect(await client.watch(producer.streamNo, { transport }).text()).toBe(text);
  const state = await client.state(producer.streamNo);
  expect(state.final).toMatchObject({ digest: createHash('sha256').update(text).digest('hex'), metadata: { model: 'm' } });
});

test('[APPEND-3] [WATCH-1] through connections that break all the time nothing is lost, doubled or reordered', async () => {
  const way = await brittleWay(150);
  const brittle = rivulet({ url: way.url, token: system.apiKey });
  try {
    const producer = await brittle.open();
    const readers = TRANSPORTS.map((transport) => collect(brittle.watch(producer.streamNo, { transport })));
    for (let round = 0; round < 5; round += 1) {
      for (const word of words) await producer.write(word);
      await producer.flush();
    }
    await producer.end();
    const text = words.join('').repeat(5);
    for (const events of await Promise.all(readers)) {
      expect(events.map((event) => (event.type === 'fragment' ? event.text : '')).join('')).toBe(text);
      expect(events.at(-1)).toMatchObject({ type: 'final', status: 'ended' });
    }
    expect(way.cuts()).toBeGreaterThan(4);
  } finally {
    way.stop();
  }
});

describe('a token that something gives', () => {
  const tokens = async (streamNo: string, ...ttls: number[]): Promise<{ token: () => Promise<string>; asked: () => number }> => {
    let count = 0;
    const give = async (): Promise<string> => {
      const ttlMs = ttls[Math.min(count, ttls.length - 1)]!;
      count += 1;
      return (await client.issueToken({ streamNo, scope: 'read', ttlMs })).token;
    };
    return { token: give, asked: () => count };
  };

  test.each(TRANSPORTS)('[WATCH-13] a watch over %s goes on with the next token when one expires, and misses nothing', async (transport) => {
    const producer = await client.open();
    await producer.write('before ');
    await producer.flush();
    const { token, asked } = await tokens(producer.streamNo, 3_000, 60_000);
    const reading = rivulet({ url: system.url, token }).watch(producer.streamNo, { transport }).text();
    await eventually(() => expect(asked()).toBe(2));
    await producer.write('and after');
    await producer.end();
    expect(await reading).toBe('before and after');
    expect(asked()).toBe(2);
  });

  test.each(TRANSPORTS)('over %s one that gives an expired token is asked once more, one that fails until it does not', async (transport) => {
    const producer = await client.open();
    await producer.write('there');
    await producer.end();
    const old = (await client.issueToken({ streamNo: producer.streamNo, scope: 'read', ttlMs: 1_000 })).token;
    const expired = rivulet({ url: system.url, token: old });
    await eventually(() => expect(expired.state(producer.streamNo)).rejects.toMatchObject({ code: 'TOKEN_EXPIRED' }));
    const good = (await client.issueToken({ streamNo: producer.streamNo, scope: 'read' })).token;
    const given: (string | Error)[] = [new Error('offline'), old, good];
    let asked = 0;
    const token = (): string => {
      asked += 1;
      const next = given.shift() ?? old;
      if (next instanceof Error) throw next;
      return next;
    };
    const text = (one: string | (() => string)): Promise<string> =>
      rivulet({ url: system.url, token: one }).watch(producer.streamNo, { transport }).text();
    expect(await text(token)).toBe('there');
    expect(asked).toBe(3);
    await expect(text(token)).rejects.toMatchObject({ code: 'TOKEN_EXPIRED' });
    expect(asked).toBe(5);
    await expect(text(old)).rejects.toMatchObject({ code: 'TOKEN_EXPIRED' });
  });
});

test.each(TRANSPORTS)('[WATCH-6] over %s each fragment reaches the hand through connections that break and readers that leave, in order', async (transport) => {
  const way = await brittleWay(150);
  const brittle = rivulet({ url: way.url, token: system.apiKey });
  const count = 200;
  try {
    const producer = await client.open();
    const writing = (async () => {
      for (let sequence = 1; sequence <= count; sequence += 1) {
        await producer.write(`${sequence} `);
        if (sequence % 5 === 0) await producer.flush();
      }
      await producer.end();
    })();
    let stored = 0;
    let isOver = false;
    for (let reader = 0; !isOver; reader += 1) {
      let events = 0;
      let expected: number | null = null;
      for await (const event of brittle.watch(producer.streamNo, { transport, session: 'store', window: 16 })) {
        if (event.type === 'final') isOver = true;
        if (event.type !== 'fragment') continue;
        // Nothing between what an earlier reader finished with and this; within one reader nothing twice.
        expect(event.from).toBeLessThanOrEqual(stored + 1);
        expect(event.from).toBe(expected ?? event.from);
        expected = event.to + 1;
        events += 1;
        if (events > 5 + reader) break; // dies with this one in its hand
        stored = Math.max(stored, event.to);
      }
    }
    await writing;
    expect(stored).toBe(count);
    const { confirmed } = await client.state(producer.streamNo);
    expect(confirmed).toEqual([{ session: 'store', cursor: `1.${count}.f`, confirmedAt: expect.any(Number), isFinal: true }]);
  } finally {
    way.stop();
  }
});

test('a channel is followed through connections that break', async () => {
  const way = await brittleWay(300);
  const stop = new AbortController();
  try {
    const seen = new Map<string, string>();
    const done = new Set<string>();
    const following = (async () => {
      for await (const event of rivulet({ url: way.url, token: system.apiKey }).watchChannel('room', { signal: stop.signal })) {
        if (event.type === 'fragment') seen.set(event.streamNo, (seen.get(event.streamNo) ?? '') + event.text);
        if (event.type === 'final') done.add(event.streamNo);
        if (done.size === 3) return;
      }
    })();
    const producers = await Promise.all([1, 2, 3].map(() => client.open({ channel: 'room' })));
    await Promise.all(producers.map(async (producer, index) => {
      for (const word of words) {
        await producer.write(`${index}${word}`);
        await producer.flush();
      }
      await producer.end();
    }));
    await following;
    producers.forEach(({ streamNo }, index) => expect(seen.get(streamNo)).toBe(words.map((word) => `${index}${word}`).join('')));
  } finally {
    stop.abort();
    way.stop();
  }
});

test('[APPEND-2] a producer is never further ahead than its stream can hold, at the open and after a retry', async () => {
  const posted: number[] = [];
  const counting: typeof fetch = (input, init) => {
    const { fragments } = typeof init?.body === 'string' ? JSON.parse(init.body) as { fragments?: unknown[] } : {};
    if (fragments !== undefined) posted.push(fragments.length);
    return fetch(input, init);
  };
  const careful = rivulet({ url: system.url, token: system.apiKey, fetch: counting });
  const first = await careful.open({ limits: { heldFragmentsMax: 3 } });
  const writing = Array.from({ length: 20 }, (_, index) => first.write(`${index} `));
  await first.flush();
  await Promise.all(writing);
  const second = await careful.retry(first.streamNo);
  for (let index = 20; index < 40; index += 1) void second.write(`${index} `);
  await second.end();
  expect(posted.length).toBeGreaterThan(0);
  expect(Math.max(...posted)).toBeLessThanOrEqual(3);
  expect(await client.watch(first.streamNo).text()).toBe(Array.from({ length: 40 }, (_, index) => `${index} `).join(''));
});

test('[APPEND-10] a pace merges what is written within a tick; the first fragment goes at once', async () => {
  const producer = await client.open({}, { intervalMs: 100 });
  for (const word of words) await producer.write(word);
  const verdict = await producer.end();
  expect(verdict.sequence).toBeLessThan(5);
  expect(await client.watch(producer.streamNo).text()).toBe(words.join(''));
});

test('JSON streams carry values, binary streams bytes, and large content is cut', async () => {
  const values = [{ a: [1, 'x'] }, 'text', 5, null];
  const json = await client.open({ contentType: 'application/json' });
  for (const value of values) await json.write(value);
  expect(await json.end()).toMatchObject({ status: 'ended', sequence: values.length });
  expect(await client.watch(json.streamNo).text()).toBe(values.map((value) => `${JSON.stringify(value)}\n`).join(''));
  const bytes = Buffer.alloc(1_000_000, Buffer.from('0123456789abcdef'));
  const binary = await client.open({ contentType: 'application/octet-stream' });
  await binary.write(bytes);
  await expect(binary.write({ not: 'bytes' })).rejects.toMatchObject({ code: 'BODY_INVALID' });
  expect(await binary.end()).toMatchObject({ status: 'ended', sequence: 4, bytes: bytes.length });
  expect(Buffer.from(await client.watch(binary.streamNo).bytes()).equals(bytes)).toBe(true);
});

test('[APPEND-9] a surrogate pair cut by the writer arrives whole', async () => {
  const producer = await client.open();
  for (const unit of 'a🌊b'.split('')) await producer.write(unit);
  await producer.end();
  expect(await client.watch(producer.streamNo).text()).toBe('a🌊b');
});

test('[APPEND-9] text without a UTF-8 form in a paced write fails the producer, and the stream is not sealed as whole', async () => {
  const producer = await client.open({}, { intervalMs: 50 });
  await producer.write('good ');
  await producer.write('half \ud83c pair');
  await expect(producer.end()).rejects.toMatchObject({ code: 'UTF8_INVALID' });
  expect((await client.state(producer.streamNo)).status).toBe('open');
  const ticking = await client.open({}, { intervalMs: 50 });
  const failed = new Promise((resolve) => ticking.signal.addEventListener('abort', resolve));
  await ticking.write('good ');
  await ticking.write('half \ud83c pair');
  await failed;
  await expect(ticking.write('more')).rejects.toMatchObject({ code: 'UTF8_INVALID' });
  await expect(ticking.end()).rejects.toMatchObject({ code: 'UTF8_INVALID' });
});

test('what is written while the end is on its way is refused, and spoils nothing', async () => {
  const producer = await client.open();
  await producer.write('whole');
  const ending = producer.end();
  await expect(producer.write(', and more')).rejects.toMatchObject({ code: 'STREAM_FINAL' });
  expect(await ending).toMatchObject({ status: 'ended', sequence: 1, bytes: 5 });
});

test('a cancel fires the signal of a producer that is silent, and of one that writes', async () => {
  const silent = await client.open({ leaseMs: 1500 });
  const writing = await client.open();
  await writing.write('x');
  for (const { streamNo } of [silent, writing]) expect(await client.cancel(streamNo, 'enough')).toMatchObject({ status: 'cancelled' });
  await new Promise((resolve) => silent.signal.addEventListener('abort', resolve));
  expect(silent.signal.reason).toMatchObject({ code: 'STREAM_FINAL', details: { status: 'cancelled' } });
  await expect(writing.write('y').then(() => writing.flush())).rejects.toMatchObject({ code: 'STREAM_FINAL' });
  expect(writing.signal.aborted).toBe(true);
  await expect(writing.end()).rejects.toMatchObject({ code: 'STREAM_FINAL' });
});

test('a silent producer beats as often as it was told to, so that it learns of a cancel as soon', async () => {
  const beats: number[] = [];
  const counting: typeof fetch = (input, init) => {
    if (String(input).endsWith('/heartbeat')) beats.push(performance.now());
    return fetch(input, init);
  };
  const silent = await rivulet({ url: system.url, token: system.apiKey, fetch: counting }).open({}, { heartbeatMs: 100 });
  await eventually(() => expect(beats.length).toBeGreaterThan(5));
  // Untold, it would have beaten once a second.
  expect(Math.min(...beats.slice(1).map((at, index) => at - beats[index]!))).toBeLessThan(500);
  await silent.abort('DONE');
});

test('[APPEND-7] a silent producer keeps its lease; one that is gone does not', async () => {
  const silent = await client.open({ leaseMs: 1000 });
  const headers = { authorization: `Bearer ${system.apiKey}`, 'content-type': 'application/json' };
  const gone = (await (await fetch(`${system.url}/v1/streams`, { method: 'POST', headers, body: '{"leaseMs":1000}' })).json()) as { streamNo: string };
  for await (const event of client.watch(gone.streamNo)) if (event.type === 'lost') break;
  expect((await client.state(silent.streamNo)).status).toBe('open');
  await silent.abort('DONE');
});

test('[APPEND-8] [APPEND-12] a lost producer is continued by a retry, and the old one is out', async () => {
  const first = await client.open();
  await first.write('kept ');
  await first.flush();
  const second = await client.retry(first.streamNo, { reason: 'restart' });
  expect(second.epoch).toBe(2);
  await first.write('STALE');
  await expect(first.flush()).rejects.toMatchObject({ code: 'STALE_EPOCH' });
  await second.write('and continued');
  await second.end();
  expect(await client.watch(first.streamNo).text()).toBe('kept and continued');
  expect((await client.state(first.streamNo)).attempts).toHaveLength(2);
});

test.each(TRANSPORTS)('a retry that starts over rewinds readers, over %s', async (transport) => {
  const first = await client.open();
  const reading = collect(client.watch(first.streamNo, { transport }));
  const text = client.watch(first.streamNo, { transport }).text();
  await first.write('wrong');
  await first.flush();
  for await (const event of client.watch(first.streamNo)) if (event.type === 'fragment') break;
  const second = await client.retry(first.streamNo, { keep: 'none' });
  await second.write('right');
  await second.end();
  expect(await text).toBe('right');
  expect((await reading).at(-1)).toMatchObject({ type: 'final', epoch: 2 });
});

test('[APPEND-11] an open with the same key is the same stream', async () => {
  const idempotencyKey = crypto.randomUUID();
  const [first, second] = [await client.open({}, { idempotencyKey }), await client.open({}, { idempotencyKey })];
  expect(second.streamNo).toBe(first.streamNo);
  for (const producer of [first, second]) await producer.abort('TEST');
});

test('[WATCH-2] watching goes on after a cursor, and after the final one there is nothing', async () => {
  const producer = await client.open();
  for (const word of ['a', 'b', 'c']) await producer.write(word);
  await producer.end();
  expect(await client.watch(producer.streamNo, { from: '1.1' }).text()).toBe('bc');
  expect(await collect(client.watch(producer.streamNo, { from: '1.3.f' }))).toEqual([]);
  await expect(client.watch(producer.streamNo, { from: 'x' }).text()).rejects.toMatchObject({ code: 'CURSOR_INVALID' });
});

test('a stream that failed is no text, and its code is told', async () => {
  const producer = await client.open();
  await producer.write('half');
  await producer.abort('MODEL_GONE', 'the model went away');
  await expect(client.watch(producer.streamNo).text()).rejects.toMatchObject({ code: 'STREAM_FINAL', message: expect.stringContaining('MODEL_GONE') });
});

test.each(TRANSPORTS)('errors keep their codes over %s', async (transport) => {
  await expect(client.watch('made-up', { transport }).text()).rejects.toMatchObject({ code: 'STREAM_NO_NOT_ISSUED' });
  const stranger = rivulet({ url: system.url, token: 'rk_dev_wrong' });
  await expect(stranger.watch('made-up', { transport }).text()).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
});

test('a signal ends watching', async () => {
  const producer = await client.open();
  const stop = new AbortController();
  const watching = collect(client.watch(producer.streamNo, { signal: stop.signal }));
  stop.abort(new Error('left'));
  await expect(watching).rejects.toThrow('left');
  await producer.abort('TEST');
});

test('[APPEND-10] [WATCH-3] lanes of one stream stay apart, each in order, also when they are paced', async () => {
  for (const intervalMs of [0, 20]) {
    const producer = await client.open({}, { intervalMs });
    const live = collect(client.watch(producer.streamNo));
    const lanes = ['', 'reasoning', 'tool'];
    const expected = lanes.map((lane) => words.slice(0, 90).map((word) => `${lane}${word}`).join(''));
    for (const word of words.slice(0, 90)) {
      for (const lane of lanes) {
        // Cut within a character: the half waits in its own lane.
        const text = `${lane}${word}`;
        const half = text.indexOf('🌊') + 1;
        await producer.write(text.slice(0, half), { lane });
        await producer.write(text.slice(half), { lane });
      }
    }
    const { sequence } = await producer.end();
    if (intervalMs > 0) expect(sequence).toBeLessThan(200);
    for (const events of [await live, await collect(client.watch(producer.streamNo))]) {
      const fragments = events.filter((event) => event.type === 'fragment');
      const textOf = (lane: string): string => fragments.filter((one) => (one.lane ?? '') === lane).map(({ text }) => text).join('');
      expect(lanes.map(textOf)).toEqual(expected);
      expect(events.at(-1)).toMatchObject({ type: 'final', status: 'ended' });
    }
  }
});

test('[WATCH-12] a channel of more open streams than a cursor can name is followed exactly through a drop', async () => {
  const proxy = await CuttingProxy.before(system.url);
  const count = 600;
  const producers = await Promise.all(Array.from({ length: count }, () => client.open({ channel: 'wide', leaseMs: 60_000 })));
  await Promise.all(producers.map((producer) => producer.write('a').then(() => producer.flush())));
  const stop = new AbortController();
  const texts = new Map<string, string>();
  let whole = 0;
  for await (const event of rivulet({ url: proxy.url, token: system.apiKey }).watchChannel('wide', { signal: stop.signal })) {
    if (event.type === 'fragment') {
      const text = texts.get(event.streamNo) ?? '';
      expect(event.from).toBe(text.length + 1);
      texts.set(event.streamNo, text + event.text);
      if (text + event.text === 'ab' && (whole += 1) === count) break;
    }
    if (event.type === 'fragment' && texts.size === count && proxy.cuts === 0) {
      proxy.cut();
      await Promise.all(producers.map((producer) => producer.write('b')));
    }
  }
  stop.abort();
  await proxy.stop();
  expect(proxy.cuts).toBeGreaterThan(0);
}, 600_000); // 600 producers in one process: 30 s of a core
