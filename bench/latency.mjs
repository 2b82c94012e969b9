// (a) 50 streams × 30 fragments/s, spread phases, one SSE session each, every POST awaited:
// from the producer's call to the session's callback.
import { bareKafkajs } from './bare-kafkajs.mjs';
import { quantiles, row } from './report.mjs';
import { elapse, openStreams } from './streams.mjs';
import { PostSocket, SseSocket } from './wire-sockets.mjs';

const STREAMS = 50;
const PER_SECOND = 30;
const TEXT = 'x'.repeat(100); // about one line of an answer

/** Ticks every stream PER_SECOND times a second, phases spread over the period. @returns ticks that began more than a period late */
export async function pace(seconds, send) {
  const periodMs = 1000 / PER_SECOND;
  const start = performance.now() + 50;
  let late = 0;
  await Promise.all(Array.from({ length: STREAMS }, async (_, stream) => {
    const phase = (periodMs * stream) / STREAMS;
    const ticks = Math.floor(seconds * PER_SECOND);
    for (let tick = 0; tick < ticks; tick++) {
      const due = start + phase + tick * periodMs;
      const wait = due - performance.now();
      if (wait > 0) await elapse(wait);
      else if (wait < -periodMs) late += 1;
      await send(stream, tick);
    }
  }));
  return late;
}

/** A POST connection for each stream; every fragment says when it was sent. `sent`: how many of each stream. */
export function timedPosts(url, streams) {
  const posts = streams.map(() => new PostSocket(url));
  const heads = streams.map(({ streamNo, writeToken }, index) => posts[index].request('POST', `/v1/streams/${streamNo}/fragments`, writeToken));
  const sent = new Array(streams.length).fill(0);
  const send = async (stream) => {
    const body = `{"seq":${++sent[stream]},"data":"${performance.now().toFixed(3)} ${TEXT}"}`;
    const { status, body: answer } = await posts[stream].send(heads[stream], body);
    if (status !== 200) throw new Error(`append: ${status} ${answer}`);
  };
  return { posts, sent, send };
}

export async function measureService(system, seconds, origin = system.urls) {
  const streams = await openStreams(system, STREAMS);
  const latencies = [];
  let lost = 0; let duplicated = 0; let reordered = 0;
  const seen = new Array(STREAMS).fill(0);
  const sessions = streams.map(({ streamNo, readToken }, index) => new SseSocket(`${origin.fanout}/v1/watch/${streamNo}/events`, readToken, (name, text) => {
    if (name !== 'fragment') return;
    const now = performance.now();
    const { from, to, text: content } = JSON.parse(text);
    if (from <= seen[index]) duplicated += 1;
    else if (from > seen[index] + 1) reordered += 1;
    seen[index] = Math.max(seen[index], to);
    for (const [sent] of content.matchAll(/\d+\.\d+/g)) latencies.push(now - Number(sent));
  }));
  await Promise.all(sessions.map((session) => session.opened));
  const { posts, sent, send } = timedPosts(origin.ingest, streams);
  const late = await pace(seconds, send);
  const deadline = performance.now() + 5000;
  while (seen.some((sequence, index) => sequence < sent[index]) && performance.now() < deadline) await elapse(20);
  seen.forEach((sequence, index) => { lost += sent[index] - sequence; });
  for (const socket of [...sessions, ...posts]) socket.close();
  return { ...quantiles(latencies), lost, duplicated, reordered, late };
}

export async function measureBare(brokers, seconds) {
  const latencies = [];
  const bare = await bareKafkajs(brokers, { topic: `bench.latency.${process.pid}.${Date.now()}`, partitions: 24, onValue: (value) => latencies.push(performance.now() - Number(value.latin1Slice(0, value.indexOf(' ')))) });
  await pace(seconds, (stream) => bare.append(stream % 24, Buffer.from(`stream-${stream}`), Buffer.from(`${performance.now().toFixed(3)} ${TEXT}`)));
  await elapse(300);
  await bare.close();
  return quantiles(latencies);
}

export async function latency({ system, brokers, isQuick }) {
  const seconds = isQuick ? 5 : 15;
  await measureBare(brokers, seconds); // warms the JVM: its first half minute is 2–3 × slower
  await measureService(system, seconds);
  const rounds = isQuick ? 2 : 3;
  const bare = []; const service = [];
  for (let round = 0; round < rounds; round++) {
    bare.push(await measureBare(brokers, seconds));
    service.push(await measureService(system, seconds));
  }
  const proxied = await measureService(system, seconds, { ingest: system.urls.proxy, fanout: system.urls.proxy });
  const median = (list, key) => list.map((entry) => entry[key]).sort((a, b) => a - b)[Math.floor(list.length / 2)];
  const sum = (key) => service.reduce((total, entry) => total + entry[key], 0);
  const question = 'latency: 50 streams × 30/s, HTTP in, SSE out';
  const compare = (key, goal) => {
    const value = median(service, key); const reference = median(bare, key);
    const ratio = value / reference;
    return row(question, key, value, 'ms', { reference, ratio, ...(goal ? { target: `≤ ${goal} × bare kafkajs`, met: ratio <= goal } : {}) });
  };
  return [
    compare('p50', 2), compare('p95'), compare('p99', 2), compare('max'),
    row(question, 'fragments', sum('count'), ''),
    ...['lost', 'duplicated', 'reordered'].map((key) => row(question, key, sum(key), '', { target: '0', met: sum(key) === 0 })),
    row(question, 'ticks more than a period late', sum('late'), ''),
    row('what the proxy adds', 'p50', proxied.p50 - median(service, 'p50'), 'ms', { reference: median(service, 'p50'), ratio: proxied.p50 / median(service, 'p50') }),
    row('what the proxy adds', 'p99', proxied.p99 - median(service, 'p99'), 'ms', { reference: median(service, 'p99'), ratio: proxied.p99 / median(service, 'p99') }),
  ];
}
