import type { OpenedStream, StreamSummary } from '@rivulet/protocol';
import { eventually } from '../../../test/support/eventually';
import { banner } from './banner';
import { startRivulet } from './start-rivulet';
import type { RunningRivulet, StartOptions } from './start-rivulet';

const started: RunningRivulet[] = [];
const start = async (options: StartOptions = {}): Promise<RunningRivulet> => {
  const rivulet = await startRivulet(options);
  started.push(rivulet);
  return rivulet;
};
afterEach(async () => {
  await Promise.all(started.splice(0).map((rivulet) => rivulet.stop()));
});

const call = async <T>({ apiKey }: Pick<RunningRivulet, 'apiKey'>, url: string, body?: unknown): Promise<{ status: number; body: T }> => {
  const response = await fetch(url, {
    method: body === undefined ? 'GET' : 'POST',
    headers: { authorization: `Bearer ${apiKey}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: response.status, body: await response.json() as T };
};
const text = async ({ apiKey }: RunningRivulet, url: string): Promise<string> =>
  (await fetch(url, { headers: { authorization: `Bearer ${apiKey}` } })).text();

test('a stream goes from the producer to a reader through one origin', async () => {
  const rivulet = await start();
  const { status, body: { links, streamNo } } = await call<OpenedStream>(rivulet, `${rivulet.url}/v1/streams`, { channel: 'first' });
  expect(status).toBe(201);
  expect(links.append.startsWith(rivulet.url)).toBe(true);
  await call(rivulet, links.append, { fragments: [{ seq: 1, data: 'Hello, ' }, { seq: 2, data: 'stream.' }] });
  expect((await call(rivulet, links.end, { lastSeq: 2 })).body).toMatchObject({ status: 'ended', bytes: 14 });
  expect(await text(rivulet, links.content)).toBe('Hello, stream.');
  expect(await text(rivulet, links.events)).toContain('event: final');
  const list = await call<{ streams: StreamSummary[] }>(rivulet, `${rivulet.url}/v1/admin/streams`);
  expect(list.body.streams.map((stream) => stream.streamNo)).toEqual([streamNo]);
});

test('it is ready when it has started, and stops with readers connected', async () => {
  // Printed, not judged: the first one loads the code, and a busy machine may delay any.
  const took: number[] = [];
  let rivulet = await start();
  for (let round = 0; round < 3; round += 1) {
    const before = performance.now();
    rivulet = await start();
    took.push(Math.round(performance.now() - before));
  }
  console.log(`startRivulet took ${took.join(', ')} ms`);
  expect((await fetch(`${rivulet.url}/readyz`)).status).toBe(200);
  const { body: { links } } = await call<OpenedStream>(rivulet, `${rivulet.url}/v1/streams`, {});
  const watching = await fetch(links.events, { headers: { authorization: `Bearer ${rivulet.apiKey}` } });
  const stopping = rivulet.stop();
  await watching.text();
  await stopping;
  await expect(fetch(rivulet.url)).rejects.toThrow();
});

test('stopping twice, and at the end of an `await using`, is one stop', async () => {
  const rivulet = await start();
  await Promise.all([rivulet.stop(), rivulet[Symbol.asyncDispose](), rivulet.stop()]);
  await rivulet.stop();
  await expect(fetch(rivulet.url)).rejects.toThrow();
});

test('it says nothing unless a log is given, which then gets its lines', async () => {
  const written: string[] = [];
  const stdout = jest.spyOn(process.stdout, 'write').mockImplementation((text) => { written.push(String(text)); return true; });
  const lines: string[] = [];
  await (await start()).stop();
  await (await start({ log: { write: (line) => void lines.push(line) } })).stop();
  stdout.mockRestore();
  expect(written).toEqual([]);
  expect(lines.map((line) => (JSON.parse(line) as { msg: string }).msg)).toContain('drained');
});

test('with Kafka away an append fails as it would there, and when it is back the same append is taken', async () => {
  const rivulet = await start({ env: { RIVULET_INGEST_APPEND_MS_MAX: '200' } });
  const { body: { links, writeToken } } = await call<OpenedStream>(rivulet, `${rivulet.url}/v1/streams`, {});
  // With the token, which says how to write to a stream that is not shown yet [APPEND-6].
  const producer = { ...rivulet, apiKey: writeToken };
  rivulet.faults.kafkaAway = true;
  expect(await call(producer, links.append, { seq: 1, data: 'x' })).toMatchObject({ status: 503, body: { code: 'LOG_UNAVAILABLE' } });
  expect(rivulet.faults.kafkaAway).toBe(true);
  rivulet.faults.kafkaAway = false;
  await eventually(async () => expect(await call(producer, links.append, { seq: 1, data: 'x' })).toMatchObject({ status: 200 }));
  expect(await call(producer, links.end, { lastSeq: 1 })).toMatchObject({ body: { status: 'ended', bytes: 1 } });
  rivulet.faults.kafkaAway = true;
  await rivulet.stop();
});

test('settings of the apps are taken by their names, and a misspelt one stops the start', async () => {
  const rivulet = await start({ env: { RIVULET_ALLOCATOR_LEASE_MS: '1000' } });
  const { body: { links } } = await call<OpenedStream>(rivulet, `${rivulet.url}/v1/streams`, {});
  await eventually(async () => expect((await call<StreamSummary>(rivulet, links.state)).body.status).toBe('lost'));
  await expect(start({ env: { RIVULET_FANOUT_VIEW_BYTE_MAX: '1' } })).rejects.toThrow('RIVULET_FANOUT_VIEW_BYTES_MAX');
});

test('several in one process know nothing of each other', async () => {
  const [one, two] = await Promise.all([start(), start()]);
  const { body: { streamNo } } = await call<OpenedStream>(one, `${one.url}/v1/streams`, {});
  // Keys differ too: a streamNo of the other was never issued here.
  expect((await call(two, `${two.url}/v1/watch/${streamNo}`)).body).toMatchObject({ code: 'STREAM_NO_NOT_ISSUED' });
  expect((await fetch(`${two.url}/v1/admin/streams`, { headers: { authorization: `Bearer ${one.apiKey}` } })).status).toBe(401);
});

test('the banner says that nothing is durable and names the three ways to a real Kafka', () => {
  const shown = banner({ url: 'http://127.0.0.1:7100', apiKey: 'rk_dev_x' });
  for (const said of ['NOTHING IS DURABLE', 'KAFKA_BROKERS', 'Docker', 'Java', 'Maven', 'rk_dev_x', 'Bearer']) expect(shown).toContain(said);
});
