// (b) The most it sustains unpaced with 50 producers: awaited single POSTs, NDJSON, and one WebSocket each.
import { bareKafkajs } from './bare-kafkajs.mjs';
import { row } from './report.mjs';
import { elapse, openStreams } from './streams.mjs';
import { NdjsonSocket, PostSocket, openProducerSocket } from './wire-sockets.mjs';

const PRODUCERS = 50;
const TEXT = 'x'.repeat(100);

/** Counts what `step` acknowledges per second over `seconds`, after `warmSeconds` that do not count. */
async function rate(seconds, warmSeconds, acknowledged) {
  await elapse(warmSeconds * 1000);
  const from = acknowledged(); const start = performance.now();
  await elapse(seconds * 1000);
  return ((acknowledged() - from) * 1000) / (performance.now() - start);
}

async function bareAwaited(brokers, seconds, inFlight) {
  let total = 0; let isOver = false;
  const bare = await bareKafkajs(brokers, { topic: `bench.most.${process.pid}.${Date.now()}`, partitions: 24, onValue: () => undefined });
  const value = Buffer.from(TEXT);
  const producers = Array.from({ length: PRODUCERS * inFlight }, async (_, producer) => {
    const key = Buffer.from(`stream-${producer % PRODUCERS}`);
    while (!isOver) { await bare.append((producer % PRODUCERS) % 24, key, value); total += 1; }
  });
  const result = await rate(seconds, 2, () => total);
  isOver = true;
  await Promise.all(producers);
  await bare.close();
  return result;
}

async function posts(system, seconds) {
  const streams = await openStreams(system, PRODUCERS);
  let total = 0; let isOver = false;
  const producers = streams.map(async ({ streamNo, writeToken }) => {
    const socket = new PostSocket(system.urls.ingest);
    const head = socket.request('POST', `/v1/streams/${streamNo}/fragments`, writeToken);
    for (let seq = 1; !isOver; seq++) {
      const { status, body } = await socket.send(head, `{"seq":${seq},"data":"${TEXT}"}`);
      if (status !== 200) throw new Error(`append: ${status} ${body}`);
      total += 1;
    }
    socket.close();
  });
  const result = await Promise.race([rate(seconds, 2, () => total), Promise.all(producers)]);
  isOver = true;
  await Promise.all(producers);
  return result;
}

/** Lines are written as fast as the socket takes them; at most `windowMax` unacknowledged, as an SDK would. */
async function ndjson(system, seconds, count = PRODUCERS, windowMax = 2000) {
  const streams = await openStreams(system, count);
  let isOver = false;
  const sockets = streams.map(({ streamNo, writeToken }) => new NdjsonSocket(`${system.urls.ingest}/v1/streams/${streamNo}/fragments`, writeToken));
  const producers = sockets.map(async (socket) => {
    let seq = 0;
    while (!isOver) {
      if (seq - socket.acknowledged >= windowMax) { await elapse(1); continue; }
      let lines = '';
      for (let n = 0; n < 100; n++) lines += `{"seq":${++seq},"data":"${TEXT}"}\n`;
      if (!socket.write(lines)) await socket.drained();
    }
  });
  const acknowledged = () => sockets.reduce((total, socket) => total + socket.acknowledged, 0);
  const result = await Promise.race([rate(seconds, 2, acknowledged), ...sockets.map((socket) => socket.failed)]);
  isOver = true;
  await Promise.all(producers);
  for (const socket of sockets) socket.close();
  return result;
}

async function webSockets(system, seconds, windowMax = 2000) {
  const streams = await openStreams(system, PRODUCERS);
  let isOver = false;
  const acknowledged = new Array(PRODUCERS).fill(0);
  const failures = [];
  const sockets = await Promise.all(streams.map(({ writeToken }, index) => openProducerSocket(`${system.urls.ingest}/v1/streams/ws`, writeToken, (message) => {
    if (message.type === 'ack') acknowledged[index] = message.to;
    else if (message.type === 'problem') failures.push(message);
  })));
  const producers = sockets.map(async (socket, index) => {
    for (let seq = 0; !isOver;) {
      if (failures.length > 0) throw new Error(JSON.stringify(failures[0]));
      if (seq - acknowledged[index] >= windowMax || socket.bufferedAmount > 1 << 20) { await elapse(1); continue; }
      const from = seq + 1;
      const fragments = [];
      for (let n = 0; n < 50; n++) fragments.push({ seq: ++seq, data: TEXT });
      socket.send(JSON.stringify({ type: 'append', streamNo: streams[index].streamNo, seq: from, fragments }));
      await new Promise((resolve) => setImmediate(resolve));
    }
  });
  const result = await rate(seconds, 2, () => acknowledged.reduce((a, b) => a + b, 0));
  isOver = true;
  await Promise.all(producers);
  for (const socket of sockets) socket.terminate();
  return result;
}

export async function throughput({ system, brokers, isQuick }) {
  const seconds = isQuick ? 5 : 12;
  // Not counted: the compilers of the broker and of the services need half a minute of this load before it settles.
  await posts(system, isQuick ? 10 : 25);
  const bareSingle = await bareAwaited(brokers, seconds, 1);
  const single = await posts(system, seconds);
  const bareMost = await bareAwaited(brokers, seconds, 40);
  const lines = await ndjson(system, seconds);
  const frames = await webSockets(system, seconds);
  const compare = (metric, value, reference, goal) => row('most it takes, 50 producers', metric, value, 'fragments/s',
    { reference, ratio: value / reference, ...(goal ? { target: `≥ ${goal}`, met: value >= goal } : {}) });
  return [
    compare('single POSTs, each awaited', single, bareSingle, 5000),
    compare('NDJSON, window 2,000', lines, bareMost, 40000),
    compare('WebSocket, 50 a frame, window 2,000', frames, bareMost),
  ];
}
