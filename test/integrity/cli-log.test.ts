/** What `rivulet` reads from Kafka itself: damage that verify locates, the pace of replay, topics that doctor finds wrong. */
import { createHash } from 'node:crypto';
import { connect, createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { crc32 } from 'node:zlib';
import { Kafka, logLevel } from 'kafkajs';
import type { Admin, Producer } from 'kafkajs';
import { openKafkaLog } from '@rivulet/log';
import type { Log } from '@rivulet/log';
import { encodeRecord, decodeRecord, parseStreamNo, topicNames } from '@rivulet/protocol';
import type { LogRecord, OpenedStream } from '@rivulet/protocol';
import type { Checked, Finding } from '../../apps/cli/src/check';
import type { Damage } from '../../apps/cli/src/damage';
import { verify as verifyHere } from '../../apps/cli/src/verify';
import { runCli } from '../support/cli-process';
import { eventually } from '../support/eventually';
import { startSystem } from '../support/system';
import type { System } from '../support/system';

const brokers = process.env['KAFKA_BROKERS']!;
const kafka = new Kafka({ clientId: 'cli-log', brokers: brokers.split(','), logLevel: logLevel.NOTHING });
const FRAGMENTS = 120;
const words = Array.from({ length: FRAGMENTS }, (_, index) => `${index + 1}: 一条小溪 `);

interface Kept { offset: number; key: string; value: Buffer | null }
let system: System;
let log: Log;
let admin: Admin;
let producer: Producer;
let streamNo: string;
/** All records of the partition of the stream, as they are in both topics. */
let original: { fragments: Kept[]; lifecycle: Kept[] };
let partition: number;

beforeAll(async () => {
  system = await startSystem({ brokers, env: { RIVULET_PARTITIONS_INTERACTIVE: '1', RIVULET_PARTITIONS_BULK: '1' } });
  log = await openKafkaLog({ brokers: brokers.split(','), clientId: 'cli-log' });
  admin = kafka.admin();
  producer = kafka.producer({ allowAutoTopicCreation: false });
  await Promise.all([admin.connect(), producer.connect()]);
  streamNo = await written();
  partition = parseStreamNo(streamNo)!.partition;
  const names = topicNames(system.topicPrefix);
  original = { fragments: await recordsOf(names.fragments), lifecycle: await recordsOf(names.lifecycle) };
});
afterAll(async () => {
  await Promise.all([producer?.disconnect(), admin?.disconnect(), log?.close()]);
  await system?.stop();
});

async function post<T>(service: 'allocator' | 'ingest', path: string, body: unknown, token = system.apiKey): Promise<T> {
  const url = service === 'ingest' ? system.urls.ingest : system.urls.allocator;
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  const response = await fetch(url + path, { method: 'POST', headers, body: JSON.stringify(body) });
  if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
  return await response.json() as T;
}

/** One record a fragment: each is awaited. */
async function written(): Promise<string> {
  const { streamNo: no, writeToken } = await post<OpenedStream>('ingest', '/v1/streams', {});
  for (const [index, data] of words.entries()) await post('ingest', `/v1/streams/${no}/fragments`, { seq: index + 1, data }, writeToken);
  const content = words.join('');
  const digest = createHash('sha256').update(content).digest('hex');
  await post('ingest', `/v1/streams/${no}/end`, { lastSeq: FRAGMENTS, checksum: crc32(content), digest }, writeToken);
  return no;
}

async function recordsOf(topic: string): Promise<Kept[]> {
  const kept: Kept[] = [];
  const { end } = await log.bounds(topic, partition);
  for (let next = 0; next < end; ) {
    const batch = await log.scan(topic, partition, next);
    for (const { offset, key, value } of batch.records) kept.push({ offset, key, value: value && Buffer.from(value) });
    next = batch.nextOffset;
  }
  return kept;
}

/** A copy of the partition, as a mirror makes it, with something changed on its way. @returns its topic prefix */
let copies = 0;
async function mirrored(alter: (record: Kept) => Kept | null): Promise<string> {
  const prefix = `${system.topicPrefix}-${(copies += 1)}`;
  const names = topicNames(prefix);
  const topics = [names.fragments, names.lifecycle].map((topic) => ({ topic, numPartitions: 2, replicationFactor: 1 }));
  await admin.createTopics({ topics });
  const messages = (records: Kept[]) => records.map(({ key, value }) => ({ partition, key, value }));
  const fragments = original.fragments.map(alter).filter((record): record is Kept => record !== null);
  await producer.send({ topic: names.fragments, acks: -1, messages: messages(fragments) });
  await producer.send({ topic: names.lifecycle, acks: -1, messages: messages(original.lifecycle) });
  return prefix;
}

async function verify(prefix: string, no = streamNo): Promise<{ code: number | null; damages: Damage[]; digest: string }> {
  const { code, stdout, stderr } = await runCli(['verify', '--json', no], { env: { KAFKA_BROKERS: brokers, RIVULET_TOPIC_PREFIX: prefix } });
  if (stderr !== '') throw new Error(stderr);
  return { code, ...JSON.parse(stdout) as { damages: Damage[]; digest: string } };
}

/** The record of the stream that holds a fragment. */
const recordOf = (sequence: number): Kept => original.fragments.find(({ key, value }) => {
  const record = key === streamNo && value ? decodeRecord(value) : null;
  return record?.kind === 'append' && record.firstSeq === sequence;
})!;
/** Changes the payload of a fragment and leaves everything else as it was. */
function altered(record: Kept, ...changes: [byte: number, difference: number][]): Kept {
  const decoded = decodeRecord(Buffer.from(record.value!)) as LogRecord & { kind: 'append' };
  const payload = Buffer.from(decoded.payloads[0]!);
  for (const [byte, difference] of changes) payload[byte]! ^= difference;
  return { ...record, value: Buffer.from(encodeRecord({ ...decoded, payloads: [payload] })) };
}

test('a stream that is whole is verified: by records, lifecycle, checksum and the SHA-256 that its producer sealed', async () => {
  const { code, damages, digest } = await verify(system.topicPrefix);
  expect([code, damages, digest]).toEqual([0, [], createHash('sha256').update(words.join('')).digest('hex')]);
  const { stdout } = await runCli(['verify', '--all-partitions', '--brokers', brokers, '--topic-prefix', system.topicPrefix, streamNo]);
  expect(stdout).toMatch(new RegExp(`^${streamNo}: whole\n[\\s\\S]*as its producer sealed it\n$`));
});

test('one flipped bit in one record is located to its offset and byte, and proved by the digest', async () => {
  const victim = recordOf(77);
  const prefix = await mirrored((record) => (record.offset === victim.offset ? altered(victim, [5, 0x10]) : record));
  const { code, damages } = await verify(prefix);
  const was = Buffer.from(words[76]!)[5]!;
  expect([code, damages]).toEqual([1, [expect.objectContaining({
    code: 'CONTENT_ALTERED', fromOffset: victim.offset, toOffset: victim.offset,
    suspects: [{ offset: victim.offset, sequence: 77, byte: 5, difference: 0x10, found: was ^ 0x10, original: was, isProved: true }],
  })]]);
});

test('several bytes of one record are located to the stretch between two positions of lifecycle, which is a small part of the stream', async () => {
  const victim = recordOf(77);
  const prefix = await mirrored((record) => (record.offset === victim.offset ? altered(victim, [2, 1], [9, 7]) : record));
  const { code, damages: [found, ...others] } = await verify(prefix);
  expect([code, others, found!.code, found!.suspects]).toEqual([1, [], 'CONTENT_ALTERED', []]);
  expect(found!.fromOffset).toBeLessThanOrEqual(victim.offset);
  expect(found!.toOffset).toBeGreaterThanOrEqual(victim.offset);
  // A position is taken every 32 offsets at first.
  expect(found!.toOffset - found!.fromOffset).toBeLessThan(34);
});

test('damage in two records far apart is located twice', async () => {
  const victims = [recordOf(10), recordOf(110)];
  const isVictim = ({ offset }: Kept): boolean => victims.some((victim) => victim.offset === offset);
  const { damages } = await verify(await mirrored((record) => (isVictim(record) ? altered(record, [0, 0x01]) : record)));
  const places = damages.map(({ code, fromOffset, toOffset }) => [code, fromOffset, toOffset]);
  expect(places).toEqual(victims.map(({ offset }) => ['CONTENT_ALTERED', offset, offset]));
});

test('a record that cannot be decoded, one under an altered key and one that is missing are told apart, each at its offset', async () => {
  const victim = recordOf(50);
  const garbled = await verify(await mirrored((record) => (record.offset === victim.offset ? { ...record, value: Buffer.from('not a record') } : record)));
  expect(garbled.damages).toEqual([expect.objectContaining({ code: 'RECORD_UNDECODABLE', fromOffset: victim.offset, toOffset: victim.offset })]);
  const key = streamNo.slice(0, 20) + (streamNo[20] === '0' ? '1' : '0') + streamNo.slice(21);
  const strayed = await verify(await mirrored((record) => (record.offset === victim.offset ? { ...record, key } : record)));
  expect(strayed.damages).toEqual([expect.objectContaining({ code: 'KEY_ALTERED', fromOffset: victim.offset, toOffset: victim.offset })]);
  const missing = await verify(await mirrored((record) => (record.offset === victim.offset ? { ...record, key: 'nobody', value: null } : record)));
  expect(missing.damages).toEqual([expect.objectContaining({
    code: 'FRAGMENTS_MISSING', fromOffset: victim.offset, toOffset: victim.offset, what: expect.stringContaining('Fragment 50 is missing'),
  })]);
});

test('a log that ends before what lifecycle has seen is cut short', async () => {
  const from = recordOf(100).offset;
  const { code, damages } = await verify(await mirrored((record) => (record.offset >= from ? null : record)));
  expect([code, damages.map((one) => [one.code, one.fromOffset])]).toEqual([1, [['LOG_TRUNCATED', from]]]);
});

test('content that was altered before it reached the log failed its stream, and is located by what the producer sealed', async () => {
  const { streamNo: no } = await post<OpenedStream>('ingest', '/v1/streams', {});
  const topic = topicNames(system.topicPrefix).fragments;
  const send = async (record: LogRecord): Promise<number> => {
    const message = { partition: parseStreamNo(no)!.partition, key: no, value: Buffer.from(encodeRecord(record)) };
    const [result] = await producer.send({ topic, acks: -1, messages: [message] });
    return Number(result!.baseOffset);
  };
  const content = words.slice(0, 9).join('');
  const offsets: number[] = [];
  for (const [index, word] of words.slice(0, 9).entries()) {
    const payload = Buffer.from(word);
    if (index === 4) payload[3]! ^= 0x40;
    offsets.push(await send({ kind: 'append', epoch: 1, firstSeq: index + 1, writer: '', n: 0, writerRun: '', lane: '', payloads: [payload] }));
  }
  await send({ kind: 'end', epoch: 1, lastSeq: 9, checksum: crc32(content), digest: createHash('sha256').update(content).digest('hex'), metadata: {} });
  await eventually(async () => {
    const answer = await fetch(`${system.urls.fanout}/v1/watch/${no}`, { headers: { authorization: `Bearer ${system.apiKey}` } });
    expect(await answer.json()).toMatchObject({ status: 'failed', final: { reason: 'CHECKSUM_MISMATCH' } });
  });
  const { code, damages } = await eventually(async () => {
    const found = await verify(system.topicPrefix, no);
    expect(found.code).toBe(1);
    return found;
  });
  expect([code, damages]).toEqual([1, [expect.objectContaining({
    code: 'CONTENT_ALTERED', fromOffset: offsets[4], toOffset: offsets[4], suspects: [expect.objectContaining({ byte: 3, isProved: true })],
  })]]);
});

/** A way to the broker on which one bit of one record flips, as on a disk: whole answers, or it might be cut in two. @returns its port */
async function flippingBroker(marker: Buffer): Promise<{ port: number; close(): void }> {
  const [host, port] = brokers.split(',')[0]!.split(':');
  const server = createServer((client) => {
    const broker = connect(Number(port), host);
    let rest = Buffer.alloc(0);
    broker.on('data', (bytes) => {
      rest = Buffer.concat([rest, bytes]);
      while (rest.length >= 4 && rest.length >= 4 + rest.readInt32BE(0)) {
        const answer = rest.subarray(0, 4 + rest.readInt32BE(0));
        rest = rest.subarray(answer.length);
        const at = answer.indexOf(marker);
        if (at >= 0) answer[at]! ^= 0x01;
        client.write(answer);
      }
    });
    client.pipe(broker);
    for (const [one, other] of [[client, broker], [broker, client]] as const) one.on('close', () => other.destroy()).on('error', () => other.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { port: (server.address() as AddressInfo).port, close: () => server.close() };
}

test('a bit that flipped where Kafka keeps its records, which no broker checks, is located by Kafka\'s own checksum', async () => {
  const victim = recordOf(42);
  const flipping = await flippingBroker(Buffer.from(words[41]!));
  const damaged = await openKafkaLog({
    brokers: brokers.split(','), clientId: 'flipped',
    socketFactory: ({ onConnect }) => connect({ port: flipping.port, host: '127.0.0.1' }, onConnect),
  });
  try {
    const opened = { log: damaged, topics: topicNames(system.topicPrefix), close: () => damaged.close() };
    const { damages } = await verifyHere(opened, streamNo, partition, { isEverywhere: false });
    expect(damages).toEqual([expect.objectContaining({ code: 'RECORD_UNREADABLE', fromOffset: victim.offset, toOffset: victim.offset })]);
  } finally {
    await damaged.close();
    flipping.close();
  }
});

test('a stream that is not there is no whole one', async () => {
  const other = streamNo.slice(0, -1) + (streamNo.at(-1) === '0' ? '1' : '0');
  const { damages } = await verify(system.topicPrefix, other);
  expect(damages).toEqual([expect.objectContaining({ code: 'STREAM_UNKNOWN', what: expect.stringContaining(`under the key ${streamNo}`) })]);
});

test('replay shows the same bytes, at the pace at which they came or faster', async () => {
  const env = { KAFKA_BROKERS: brokers, RIVULET_TOPIC_PREFIX: system.topicPrefix };
  expect(await runCli(['replay', streamNo, '--speed', 'max'], { env })).toMatchObject({ code: 0, stdout: words.join(''), stderr: '' });
  const { streamNo: no, writeToken } = await post<OpenedStream>('ingest', '/v1/streams', {});
  const sentAt: number[] = [];
  for (let seq = 1; seq <= 3; seq += 1) {
    // The pace is what is tested: a fragment every 300 ms.
    await eventually(() => expect(performance.now() - (sentAt.at(-1) ?? 0)).toBeGreaterThan(300));
    sentAt.push(performance.now());
    await post('ingest', `/v1/streams/${no}/fragments`, { seq, data: `${seq}` }, writeToken);
  }
  const lengthOf = async (speed: string): Promise<number> => {
    const { stdout } = await runCli(['replay', no, '--events', '--speed', speed], { env });
    const events = stdout.trim().split('\n').map((line) => JSON.parse(line) as { at: number; from: number });
    expect(events.map(({ from }) => from)).toEqual([1, 2, 3]);
    return events[2]!.at - events[0]!.at;
  };
  const elapsed = async (work: () => Promise<number>): Promise<{ ms: number; length: number }> => {
    const before = performance.now();
    const length = await work();
    return { ms: performance.now() - before, length };
  };
  const at1 = await elapsed(() => lengthOf('1x'));
  expect(at1.length).toBeGreaterThan(500);
  expect(at1.ms).toBeGreaterThan(at1.length);
  const slower = await elapsed(() => lengthOf('0.25x'));
  expect(slower.ms).toBeGreaterThan(at1.length * 4);
  expect((await elapsed(() => lengthOf('max'))).ms).toBeLessThan(slower.ms);
});

async function doctor(prefix: string): Promise<{ code: number | null; findings: Finding[] }> {
  const env = { RIVULET_URL: system.urls.allocator, RIVULET_TOKEN: system.apiKey, KAFKA_BROKERS: brokers, RIVULET_TOPIC_PREFIX: prefix };
  const { code, stdout } = await runCli(['doctor', '--json', '--only', 'kafka,dead-letters'], { env });
  const { checks } = JSON.parse(stdout) as { checks: Checked[] };
  return { code, findings: checks.flatMap(({ findings }) => findings) };
}

test('doctor finds nothing wrong with topics that the services made, and each setting that is wrong with others', async () => {
  expect(await doctor(system.topicPrefix)).toEqual({ code: 0, findings: [] });
  const prefix = `${system.topicPrefix}-wrong`;
  const names = topicNames(prefix);
  const settings = (entries: Record<string, string>) => Object.entries(entries).map(([name, value]) => ({ name, value }));
  const wrong = { 'cleanup.policy': 'compact', 'message.timestamp.type': 'CreateTime', 'retention.ms': '3600000', 'max.message.bytes': '10485760' };
  await admin.createTopics({ topics: [
    { topic: names.fragments, numPartitions: 2, replicationFactor: 1, configEntries: settings(wrong) },
    { topic: names.lifecycle, numPartitions: 3, replicationFactor: 1, configEntries: settings({ 'cleanup.policy': 'delete' }) },
  ] });
  const { code, findings } = await doctor(prefix);
  const said = findings.map(({ code: one, what }) => `${one} ${what}`);
  expect(code).toBe(1);
  for (const part of [
    `TOPIC_SETTING ${names.fragments} has cleanup.policy=compact; it should be delete.`, `TOPIC_SETTING ${names.fragments} has message.timestamp.type=CreateTime`,
    `TOPIC_SETTING ${names.fragments} has retention.ms=3600000`, `TOPIC_SETTING ${names.lifecycle} has cleanup.policy=delete; it should be compact.`,
    `TOPIC_PARTITIONS ${names.lifecycle} has 3 partitions`, `TOPIC_MISSING There is no topic ${names.cursors}.`, `TOPIC_MISSING There is no topic ${names.deadletters}.`,
  ]) expect(said).toContainEqual(expect.stringContaining(part));
  expect(said.join()).not.toContain(`${names.fragments} has max.message.bytes`);
  expect(findings.every(({ remedy }) => remedy.length > 20)).toBe(true);
});

test('doctor finds records that somebody wrote past the API, under keys that were never issued', async () => {
  const topic = topicNames(system.topicPrefix).fragments;
  const expire = Buffer.from(encodeRecord({ kind: 'expire' }));
  await producer.send({ topic, acks: -1, messages: [
    { partition, key: 'chat-42', value: expire }, { partition, key: streamNo, value: Buffer.from('garbage') }, { partition: 1, key: streamNo, value: expire },
  ] });
  await eventually(async () => {
    const { code, findings } = await doctor(system.topicPrefix);
    expect([code, findings.map((one) => one.code).sort()]).toEqual([1, ['DEAD_LETTERS', 'KEYS_NOT_ISSUED']]);
    // Two partitions were written to, and whichever was folded later is the last.
    expect(findings.find((one) => one.code === 'KEYS_NOT_ISSUED')!.what).toMatch(new RegExp(`: 2 records within a day, the last under the key "(chat-42|${streamNo})"`));
  });
  const { code, stdout } = await runCli(['verify', '--json', '--all-partitions', '--brokers', brokers, '--topic-prefix', system.topicPrefix, streamNo]);
  const { damages } = JSON.parse(stdout) as { damages: Damage[] };
  expect([code, damages.map((one) => one.code)]).toEqual([1, ['RECORD_UNDECODABLE', 'WRONG_PARTITION']]);
});
