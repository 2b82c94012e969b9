// Does a reader at a tenth of the speed cost anybody anything? One stream of 2 MB/s to ten sessions, and the same with ten more that read
// 200 kB/s each: what the others' latency and the memory of fanout become, and that the slow ones get the same bytes, in fewer frames.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { metricOf } from './cluster.mjs';
import { quantiles, row } from './report.mjs';
import { elapse, openStream } from './streams.mjs';
import { PostSocket, SseSocket } from './wire-sockets.mjs';

const SESSIONS = 10;
const PER_SECOND = 100;
const FRAGMENT_BYTES = 20_000;
const SLOW_BYTES_PER_SECOND = (PER_SECOND * FRAGMENT_BYTES) / 10;
const SAMPLE_MS = 200;
const MIB = 1_048_576;
const CATCH_UP_MS_MAX = 120_000;
/** Each fragment ends with the time it was sent. */
const STAMP_CHARACTERS = 16;
const FILLER = 'x'.repeat(FRAGMENT_BYTES - STAMP_CHARACTERS);

/** One session; what it reads is hashed. `bytesPerSecond` 0: as fast as it comes. */
class ReadingSession {
  frames = 0; sequence = 0; isFinal = false; latencies = [];
  #hash = createHash('sha256');

  constructor(url, token, bytesPerSecond) {
    this.socket = new SseSocket(url, token, (name, data) => this.#take(name, data), { bytesPerSecond });
    this.opened = this.socket.opened;
  }

  #take(name, data) {
    if (name === 'final') this.isFinal = true;
    if (name !== 'fragment') return;
    const { to, text } = JSON.parse(data);
    this.frames += 1;
    this.sequence = to;
    this.#hash.update(text);
    this.latencies.push(performance.now() - Number(text.slice(-STAMP_CHARACTERS)));
  }

  digest() {
    return this.#hash.digest('hex');
  }
}

/** Resident memory; elsewhere than on Linux the process's own metric has it. */
async function residentBytes(system) {
  if (process.platform !== 'linux') return metricOf(system.urls.fanout, 'process_resident_memory_bytes');
  return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${system.pid('fanout')}/status`, 'utf8'))[1]) * 1024;
}

async function measure(system, seconds, slowSessions) {
  const { streamNo, writeToken, readToken } = await openStream(system);
  const url = `${system.urls.fanout}/v1/watch/${streamNo}/events`;
  const read = (count, bytesPerSecond) => Array.from({ length: count }, () => new ReadingSession(url, readToken, bytesPerSecond));
  const others = read(SESSIONS, 0);
  const slow = read(slowSessions, SLOW_BYTES_PER_SECOND);
  const all = [...others, ...slow];
  await Promise.all(all.map(({ opened }) => opened));
  let memory = 0;
  const sampler = setInterval(() => void residentBytes(system).then((bytes) => { memory = Math.max(memory, bytes); }), SAMPLE_MS);
  const post = new PostSocket(system.urls.ingest);
  try {
    const head = post.request('POST', `/v1/streams/${streamNo}/fragments`, writeToken);
    const startedAt = performance.now();
    for (let sequence = 1; sequence <= seconds * PER_SECOND; sequence += 1) {
      await elapse(Math.max(0, startedAt + (sequence * 1000) / PER_SECOND - performance.now()));
      const { status, body } = await post.send(head, `{"seq":${sequence},"data":"${FILLER}${performance.now().toFixed(3).padStart(STAMP_CHARACTERS)}"}`);
      if (status !== 200) throw new Error(`append: ${status} ${body}`);
    }
    const behind = slow.length === 0 ? 0 : Math.min(...slow.map(({ sequence }) => seconds * PER_SECOND - sequence));
    await post.send(post.request('POST', `/v1/streams/${streamNo}/end`, writeToken), '{}');
    for (const { socket } of slow) socket.hurry();
    for (const deadline = performance.now() + CATCH_UP_MS_MAX; all.some(({ isFinal }) => !isFinal);) {
      if (performance.now() > deadline) throw new Error('a session did not get the final event');
      await elapse(50);
    }
    const framesOf = (sessions) => sessions.reduce((sum, { frames }) => sum + frames, 0) / sessions.length;
    return {
      ...quantiles(others.flatMap(({ latencies }) => latencies)), memory, behind,
      contents: new Set(all.map((session) => session.digest())).size, frames: framesOf(others), slowFrames: framesOf(slow),
    };
  } finally {
    clearInterval(sampler);
    post.close();
    for (const { socket } of all) socket.close();
  }
}

export async function slowReader({ system, isQuick }) {
  const seconds = isQuick ? 15 : 30;
  await measure(system, seconds, 0); // warms, and fills the view cache
  const before = await measure(system, seconds, 0);
  const slow = await measure(system, seconds, SESSIONS);
  const after = await measure(system, seconds, 0);
  const calm = { p50: (before.p50 + after.p50) / 2, p99: (before.p99 + after.p99) / 2, memory: Math.max(before.memory, after.memory) };
  const question = `${SESSIONS} readers at a tenth of the speed, ${SESSIONS} others`;
  const compare = (metric, value, reference, unit, most) => row(question, metric, value, unit, {
    reference, ratio: value / reference, ...(most ? { target: `≤ ${most} × without them`, met: value <= most * reference } : {}),
  });
  return [
    row(question, 'how far the slow ones were behind when the stream ended, least', slow.behind, 'fragments'),
    compare('others, p50', slow.p50, calm.p50, 'ms'),
    compare('others, p99', slow.p99, calm.p99, 'ms', 1.1),
    compare('memory of fanout at most', slow.memory / MIB, calm.memory / MIB, 'MiB', 1.1),
    compare('frames of a slow one (reference: of another)', slow.slowFrames, slow.frames, '', 0.99),
    row(question, 'different contents', slow.contents, '', { target: '1', met: slow.contents === 1 }),
  ];
}
