/** A garbage record, produced straight into `fragments` by somebody else's tool, and a record the judge refuses. */
import { Kafka, logLevel } from 'kafkajs';
import { encodeRecord, parseStreamNo, topicNames } from '@rivulet/protocol';
import type { Observed } from '../support/history';
import { eventually } from '../support/eventually';
import { startSystem } from '../support/system';
import type { System } from '../support/system';
import { produce, watchAll } from '../support/traffic';

const brokers = process.env['KAFKA_BROKERS']!;
const kafka = new Kafka({ clientId: 'poison', brokers: brokers.split(','), logLevel: logLevel.NOTHING });
let system: System;
beforeAll(async () => { system = await startSystem({ brokers }); });
afterAll(async () => { await system?.stop(); });

async function metric(name: RegExp): Promise<number> {
  const text = await (await fetch(`${system.urls.fanout}/metrics`)).text();
  return text.split('\n').filter((line) => name.test(line)).reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
}

async function send(partition: number, key: string, value: Buffer): Promise<void> {
  const producer = kafka.producer({ allowAutoTopicCreation: false });
  await producer.connect();
  await producer.send({ topic: topicNames(system.topicPrefix).fragments, acks: -1, messages: [{ partition, key, value }] });
  await producer.disconnect();
}

test('[OWN-7] garbage in fragments goes to the dead letters and the next record proceeds', async () => {
  const observed: Observed[] = [];
  let partition = -1;
  const streamNo = await produce(system, {
    fragments: 20,
    intervalMs: 5,
    onOpened: (no) => watchAll(system, no, ['sse'], 'witness', observed),
    onAcknowledged: ({ sequence, streamNo: no }) => {
      if (sequence !== 10) return;
      partition = partitionOf(no);
      for (const garbage of [Buffer.from('not a record'), Buffer.alloc(0), Buffer.from([0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f]), Buffer.alloc(2000, 0xff)]) {
        void send(partition, no, garbage);
      }
    },
  });
  await observed[0]!.finished;
  expect(observed[0]!.events.at(-1)).toMatchObject({ type: 'final', status: 'ended', sequence: 20 });
  await eventually(async () => expect(await metric(/^rivulet_deadletters_total/)).toBe(4));
  const admin = kafka.admin();
  await admin.connect();
  const offsets = await admin.fetchTopicOffsets(topicNames(system.topicPrefix).deadletters);
  await admin.disconnect();
  expect(offsets.reduce((sum, { offset }) => sum + Number(offset), 0)).toBe(4);
  const next = await produce(system, { fragments: 3, intervalMs: 0 });
  expect(next).not.toBe(streamNo);
});

test('a record the judge refuses is a counter by reason, not a dead letter, and changes nothing', async () => {
  const deadBefore = await metric(/^rivulet_deadletters_total/);
  const streamNo = await produce(system, { fragments: 5, intervalMs: 0 });
  await eventually(async () => expect(await state(streamNo)).toMatchObject({ status: 'ended', sequence: 5 }));
  const before = await metric(/^rivulet_refused_total\{.*STREAM_FINAL/);
  await send(partitionOf(streamNo), streamNo, Buffer.from(encodeRecord({
    kind: 'append', epoch: 1, firstSeq: 6, writer: '', n: 0, writerRun: '', lane: '', payloads: [Buffer.from('late')],
  })));
  await eventually(async () => expect(await metric(/^rivulet_refused_total\{.*STREAM_FINAL/)).toBe(before + 1));
  expect(await state(streamNo)).toMatchObject({ status: 'ended', sequence: 5 });
  expect(await metric(/^rivulet_deadletters_total/)).toBe(deadBefore);
});

async function state(streamNo: string): Promise<unknown> {
  return (await fetch(`${system.urls.fanout}/v1/watch/${streamNo}`, { headers: { authorization: `Bearer ${system.apiKey}` } })).json();
}

function partitionOf(streamNo: string): number {
  return parseStreamNo(streamNo)!.partition;
}
