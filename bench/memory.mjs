// (d) What an idle session and an open idle stream cost the fanout process: resident memory before and after many of them.
import { readFileSync } from 'node:fs';
import { row } from './report.mjs';
import { elapse, openStream, openStreams } from './streams.mjs';
import { SseSocket } from './wire-sockets.mjs';

/** Resident bytes of a process, after it had time to settle. Linux keeps them in /proc; elsewhere the process's own metric has them. */
async function residentBytes(system) {
  await elapse(3000);
  const pid = system.pid('fanout');
  if (process.platform === 'linux') return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) * 1024;
  const text = await (await fetch(`${system.urls.fanout}/metrics`)).text();
  return Number(/^process_resident_memory_bytes\S* (\S+)/m.exec(text)[1]);
}

export async function memory({ system, isQuick }) {
  const sessionCount = isQuick ? 1000 : 2000;
  const streamCount = isQuick ? 5000 : 20_000;
  const { streamNo, readToken } = await openStream(system, { leaseMs: 600_000 });
  const watch = async (count) => {
    const sessions = [];
    for (let n = 0; n < count; n += 100) {
      const some = Array.from({ length: 100 }, () => new SseSocket(`${system.urls.fanout}/v1/watch/${streamNo}/events`, readToken, () => undefined));
      await Promise.all(some.map((session) => session.opened));
      sessions.push(...some);
    }
    return sessions;
  };
  const warm = await watch(500); // grows the heap to its working size first
  const before = await residentBytes(system);
  const sessions = await watch(sessionCount);
  const perSession = (await residentBytes(system) - before) / sessionCount / 1024;
  for (const session of [...sessions, ...warm]) session.close();
  await openStreams(system, 1000, { leaseMs: 600_000 });
  const beforeStreams = await residentBytes(system);
  await openStreams(system, streamCount, { leaseMs: 600_000 });
  const perStream = (await residentBytes(system) - beforeStreams) / streamCount / 1024;
  return [
    row('memory of fanout', `per idle SSE session (${sessionCount})`, perSession, 'KiB', { target: '< 20 KiB', met: perSession < 20 }),
    row('memory of fanout', `per open idle stream (${streamCount})`, perStream, 'KiB', { target: '< 2 KiB', met: perStream < 2 }),
  ];
}
