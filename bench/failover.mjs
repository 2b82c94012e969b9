// Three fanouts behind the proxy, steady streams: what sessions notice when an instance is killed, or stopped for a restart.
// The pause of a session is its longest time without a fragment while its producer was acknowledged; reference: the same without a fault.
import { rivulet } from '@rivulet/client';
import { elapse } from './streams.mjs';
import { quantiles, row } from './report.mjs';

const STREAMS = 24;
const SESSIONS_EACH = 3;
const TICK_MS = 50;
const WINDOW_MS = 8_000;

/** A stream that is written steadily, and its sessions, which reconnect by the SDK. */
class Steady {
  constructor(writer, reader, isWs) {
    this.sessions = [];
    this.isWriting = true;
    this.done = this.#run(writer, reader, isWs);
  }

  async #run(writer, reader, isWs) {
    const producer = await writer.open({ leaseMs: 60_000 });
    this.watching = Array.from({ length: SESSIONS_EACH }, (_, index) => this.#watch(reader, producer.streamNo, isWs(index)));
    let sequence = 0;
    while (this.isWriting) {
      await producer.write(`${++sequence} `);
      await producer.flush();
      await elapse(TICK_MS);
    }
    const start = performance.now();
    await producer.end();
    this.verdictMs = performance.now() - start;
    await Promise.all(this.watching);
    this.written = sequence;
  }

  async #watch(reader, streamNo, transport) {
    const session = { gaps: [], last: 0, connections: 0, fragments: 0, breaches: 0 };
    this.sessions.push(session);
    for await (const event of reader.watch(streamNo, { transport })) {
      if (event.type === 'stream') session.connections += 1;
      if (event.type !== 'fragment') continue;
      const now = performance.now();
      if (session.last > 0) session.gaps.push({ at: session.last, ms: now - session.last });
      session.last = now;
      if (event.from !== session.fragments + 1) session.breaches += 1;
      session.fragments = event.to;
    }
  }
}

/** @returns {number[]} of each session the longest gap that touches the window */
function pauses(sessions, from, to) {
  const longest = ({ gaps }) => Math.max(0, ...gaps.filter(({ at, ms }) => at + ms > from && at < to).map(({ ms }) => ms));
  return sessions.map(longest);
}

async function fault(system, streams, signal, index) {
  const sessions = streams.flatMap((steady) => steady.sessions);
  const connections = sessions.map((session) => session.connections);
  const start = performance.now();
  const gone = system.kill('fanout', signal, index);
  await elapse(WINDOW_MS);
  await gone;
  const moved = sessions.filter((session, at) => session.connections > connections[at]);
  const stayed = sessions.filter((session) => !moved.includes(session));
  const seen = { moved: pauses(moved, start, start + WINDOW_MS), stayed: pauses(stayed, start, start + WINDOW_MS) };
  await system.restart('fanout', index);
  await elapse(3_000); // partitions move to the new instance
  return seen;
}

export async function failover({ system, isQuick }) {
  const writer = rivulet({ url: system.urls.ingest, token: system.apiKey });
  const reader = rivulet({ url: system.urls.proxy, token: system.apiKey });
  const streams = Array.from({ length: STREAMS }, () => new Steady(writer, reader, (index) => (index === 0 ? 'ws' : 'sse')));
  await elapse(6_000);
  const calmFrom = performance.now();
  await elapse(WINDOW_MS);
  const calm = quantiles(pauses(streams.flatMap(({ sessions }) => sessions), calmFrom, performance.now()));
  const kills = []; const stops = [];
  for (let round = 0; round < (isQuick ? 1 : 3); round++) {
    kills.push(await fault(system, streams, 'SIGKILL', round % 3));
    stops.push(await fault(system, streams, 'SIGTERM', (round + 1) % 3));
  }
  // The end mark of streams whose owner has just been killed: content goes on at once, the verdict waits for the next owner.
  const killed = system.kill('fanout', 'SIGKILL', 0);
  for (const steady of streams) steady.isWriting = false;
  await Promise.all([killed, ...streams.map(({ done }) => done)]);
  const verdicts = quantiles(streams.map(({ verdictMs }) => verdictMs));
  const sessions = streams.flatMap((steady) => steady.sessions.map((session) => ({ ...session, written: steady.written })));
  const lost = sessions.reduce((sum, { written, fragments }) => sum + written - fragments, 0);
  const breaches = sessions.reduce((sum, session) => sum + session.breaches, 0);
  const over = (list, who, key) => quantiles(list.flatMap((seen) => seen[who]))[key];
  const against = (value) => ({ reference: calm.p99, ratio: value / calm.p99 });
  const goal = (value, most) => ({ ...against(value), target: `≤ ${most / 1000} s`, met: value <= most });
  const entry = (question, metric, list, who, key, most) => {
    const value = over(list, who, key);
    return row(question, metric, value, 'ms', most ? goal(value, most) : against(value));
  };
  const kill = 'kill -9 of one of three fanouts: longest pause of a session';
  const stop = 'restart of one of three fanouts: longest pause of a session';
  return [
    entry(kill, 'its own sessions, p50', kills, 'moved', 'p50'),
    entry(kill, 'its own sessions, p99', kills, 'moved', 'p99', 5_000),
    entry(kill, 'sessions of the others, p99', kills, 'stayed', 'p99'),
    entry(stop, 'its own sessions, p99', stops, 'moved', 'p99', 1_000),
    entry(stop, 'sessions of the others, p99', stops, 'stayed', 'p99', 1_000),
    row(kill, 'verdict of `end` right after it, p50', verdicts.p50, 'ms'),
    row(kill, 'verdict of `end` right after it, max', verdicts.max, 'ms'),
    row(kill, 'lost, duplicated or reordered', lost + breaches, '', { target: '0', met: lost + breaches === 0 }),
  ];
}
