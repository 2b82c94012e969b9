// Does a reader at a tenth of the speed cost anybody anything? One stream of 2 MB/s to ten sessions, and the same with ten more that read
// 200 kB/s each: what the others' latency and the memory of fanout become, and that the slow ones get the same bytes, in fewer frames.
// The slow ones are read in a process of their own. With and without alternate, many times: the machine's own swings are in both.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { metricOf } from './cluster.mjs';
import { ReadingSession, STAMP_CHARACTERS } from './reading-session.mjs';
import { quantiles, row } from './report.mjs';
import { elapse, openStream } from './streams.mjs';
import { PostSocket } from './wire-sockets.mjs';

const SLOW = fileURLToPath(new URL('./reading-session.mjs', import.meta.url));
const SESSIONS = 10;
const PER_SECOND = 100;
const FRAGMENT_BYTES = 20_000;
const SLOW_BYTES_PER_SECOND = (PER_SECOND * FRAGMENT_BYTES) / 10;
const SECONDS = 15;
/** Until the buffers of the kernel are full, slow readers are not behind: what is sent in that time is not measured. */
const FILL_SECONDS = 5;
const SAMPLE_MS = 200;
const MIB = 1_048_576;
const CATCH_UP_MS_MAX = 120_000;
const FILLER = 'x'.repeat(FRAGMENT_BYTES - STAMP_CHARACTERS);

/** Slow sessions of one stream, in another process. */
class SlowReaders {
  constructor(url, token) {
    this.child = fork(SLOW, [JSON.stringify({ url, token, sessions: SESSIONS, bytesPerSecond: SLOW_BYTES_PER_SECOND })]);
    this.failed = once(this.child, 'exit').then(([code]) => { throw new Error(`the slow readers ended with code ${code}`); });
    this.failed.catch(() => undefined);
  }
  #next() {
    return Promise.race([once(this.child, 'message').then(([message]) => message), this.failed]);
  }
  opened() {
    return this.#next();
  }
  /** @returns {Promise<number>} the furthest sequence one of them has read */
  async furthest() {
    const answer = this.#next();
    this.child.send('report');
    return (await answer).sequence;
  }
  /** @returns {Promise<{ frames: number[], digests: string[] }>} once all have the final event */
  async finish() {
    const answer = this.#next();
    this.child.send('hurry');
    return answer;
  }
  close() {
    this.child.kill('SIGKILL');
  }
}

/** Resident memory; elsewhere than on Linux the process's own metric has it. */
async function residentBytes(system) {
  if (process.platform !== 'linux') return metricOf(system.urls.fanout, 'process_resident_memory_bytes');
  return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${system.pid('fanout')}/status`, 'utf8'))[1]) * 1024;
}

const inTime = (promise) => Promise.race([
  promise, elapse(CATCH_UP_MS_MAX).then(() => { throw new Error('a session did not get the final event'); }),
]);

/** @returns latencies of the others, ms; and what became of the slow ones, if there are any */
async function measure(system, hasSlow) {
  const { streamNo, writeToken, readToken } = await openStream(system);
  const url = `${system.urls.fanout}/v1/watch/${streamNo}/events`;
  const others = Array.from({ length: SESSIONS }, () => new ReadingSession(url, readToken, 0));
  const slow = hasSlow ? new SlowReaders(url, readToken) : null;
  const post = new PostSocket(system.urls.ingest);
  let memory = 0;
  const sampler = setInterval(() => void residentBytes(system).then((bytes) => { memory = Math.max(memory, bytes); }), SAMPLE_MS);
  try {
    await Promise.all([slow?.opened(), ...others.map(({ opened }) => opened)]);
    const head = post.request('POST', `/v1/streams/${streamNo}/fragments`, writeToken);
    const startedAt = performance.now();
    for (let sequence = 1; sequence <= SECONDS * PER_SECOND; sequence += 1) {
      await elapse(Math.max(0, startedAt + (sequence * 1000) / PER_SECOND - performance.now()));
      const { status, body } = await post.send(head, `{"seq":${sequence},"data":"${FILLER}${performance.now().toFixed(3).padStart(STAMP_CHARACTERS)}"}`);
      if (status !== 200) throw new Error(`append: ${status} ${body}`);
    }
    const behind = slow === null ? 0 : SECONDS * PER_SECOND - await slow.furthest();
    await post.send(post.request('POST', `/v1/streams/${streamNo}/end`, writeToken), '{}');
    await inTime(Promise.all(others.map(({ finished }) => finished)));
    const { frames, digests } = slow === null ? { frames: [], digests: [] } : await inTime(slow.finish());
    const measured = others.flatMap(({ latencies }) => latencies).filter(({ sequence }) => sequence > FILL_SECONDS * PER_SECOND);
    return {
      latencies: measured.map(({ ms }) => ms), memory, behind, slowFrames: frames, frames: others.map((session) => session.frames),
      contents: new Set([...digests, ...others.map((session) => session.digest())]).size,
    };
  } finally {
    clearInterval(sampler);
    post.close();
    slow?.close();
    for (const { socket } of others) socket.close();
  }
}

const mean = (numbers) => numbers.reduce((sum, number) => sum + number, 0) / numbers.length;

/** Several measurements as one. */
const together = (parts) => ({
  ...quantiles(parts.flatMap(({ latencies }) => latencies)),
  memory: Math.max(...parts.map(({ memory }) => memory)), behind: Math.min(...parts.map(({ behind }) => behind)),
  frames: mean(parts.flatMap(({ frames }) => frames)), slowFrames: mean(parts.flatMap(({ slowFrames }) => slowFrames)),
  contents: Math.max(...parts.map(({ contents }) => contents)),
});

export async function slowReader({ system, isQuick }) {
  const rounds = isQuick ? 2 : 6;
  await measure(system, true); // warms, and fills the view cache
  const with_ = []; const without = [];
  for (let round = 0; round < rounds; round += 1) {
    // Each is first as often as the other.
    for (const hasSlow of round % 2 === 0 ? [false, true] : [true, false]) (hasSlow ? with_ : without).push(await measure(system, hasSlow));
  }
  const [slow, calm] = [together(with_), together(without)];
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
