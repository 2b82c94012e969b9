// One stream to 1,000 SSE sessions: how many deliveries (one fragment at one session) a fanout process makes, when it is asked for a
// hundred thousand a second, and for ten times as many. Behind the head fragments share a frame, so frames a second are told apart.
// The sessions are read in a process of their own; on a machine of two cores it shares them with fanout, ingest and broker.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { cpuSecondsOf, metricOf } from './cluster.mjs';
import { row } from './report.mjs';
import { elapse, openStream } from './streams.mjs';
import { NdjsonSocket } from './wire-sockets.mjs';

const CROWD = fileURLToPath(new URL('./crowd.mjs', import.meta.url));
const SESSIONS = 1_000;
const TEXT = 'x'.repeat(100);
const TICK_MS = 5;
const GOAL = 100_000;

/** Sessions of one stream, in another process. */
class Crowd {
  constructor(url, token) {
    this.child = fork(CROWD, [JSON.stringify({ url, token, sessions: SESSIONS })]);
    this.failed = once(this.child, 'exit').then(([code]) => { throw new Error(`the crowd ended with code ${code}`); });
    this.failed.catch(() => undefined);
  }

  #next() {
    return Promise.race([once(this.child, 'message').then(([message]) => message), this.failed]);
  }

  opened() {
    return this.#next();
  }

  /** @returns {Promise<{ least: number, sum: number }>} the lowest of their last sequences, and the sum of all */
  async ask() {
    const answer = this.#next();
    this.child.send('report');
    return answer;
  }

  close() {
    this.child.kill('SIGKILL');
  }
}

async function measure(system, seconds, perSecond) {
  const { streamNo, writeToken, readToken } = await openStream(system);
  const crowd = new Crowd(`${system.urls.fanout}/v1/watch/${streamNo}/events`, readToken);
  const producer = new NdjsonSocket(`${system.urls.ingest}/v1/streams/${streamNo}/fragments`, writeToken);
  try {
    await crowd.opened();
    let sequence = 0;
    let isWriting = true;
    const startedAt = performance.now();
    const writing = (async () => {
      while (isWriting) {
        const due = Math.floor(((performance.now() - startedAt) / 1000) * perSecond);
        let lines = '';
        while (sequence < due) lines += `{"seq":${++sequence},"data":"${TEXT}"}\n`;
        if (lines !== '') producer.write(lines);
        await elapse(TICK_MS);
      }
    })();
    await Promise.race([elapse(3000), producer.failed]); // compiled and settled
    const usage = async () => ({
      at: performance.now(), seen: (await crowd.ask()).sum, cpu: await cpuSecondsOf(system.urls.fanout), frames: await metricOf(system.urls.fanout, 'rivulet_deliveries_total'),
    });
    const before = await usage();
    await Promise.race([elapse(seconds * 1000), producer.failed]);
    const after = await usage();
    isWriting = false;
    await writing;
    const deadline = performance.now() + 30_000;
    let behind = sequence;
    while (behind > 0 && performance.now() < deadline) {
      behind = sequence - (await crowd.ask()).least;
      if (behind > 0) await elapse(50);
    }
    const elapsed = (after.at - before.at) / 1000;
    return {
      perSecond: (after.seen - before.seen) / elapsed, perCoreSecond: (after.seen - before.seen) / (after.cpu - before.cpu),
      frames: (after.frames - before.frames) / elapsed, missing: behind,
    };
  } finally {
    producer.close();
    crowd.close();
  }
}

export async function fanOut({ system, isQuick }) {
  const seconds = isQuick ? 5 : 10;
  const rows = [];
  for (const perSecond of [GOAL / SESSIONS, (10 * GOAL) / SESSIONS]) {
    const { perSecond: seen, perCoreSecond, frames, missing } = await measure(system, seconds, perSecond);
    const question = `one stream of ${perSecond} fragments/s to ${SESSIONS} SSE sessions`;
    rows.push(
      row(question, 'deliveries', seen, '/s', { reference: perSecond * SESSIONS, ratio: seen / (perSecond * SESSIONS), target: `≥ ${GOAL}`, met: seen >= GOAL * 0.99 }),
      row(question, 'deliveries per core-second of fanout', perCoreSecond, '/s'),
      row(question, 'in frames', frames, '/s'),
      row(question, 'not delivered in the end, at the last of them', missing, 'fragments', { target: '0', met: missing === 0 }),
    );
  }
  return rows;
}
