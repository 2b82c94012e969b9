// (d) What an idle session and an open idle stream cost the fanout process: resident memory before and after many of them.
// Reference of a session: the same idle event stream held by a bare Node HTTP server. A stream has none: bare Kafka keeps no streams.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { row } from './report.mjs';
import { elapse, openStream, openStreams } from './streams.mjs';
import { SseSocket } from './wire-sockets.mjs';

const BARE_SERVER = `require('node:http').createServer((_, response) => {
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  response.write('retry: 1000\\n\\n');
}).listen(0, '127.0.0.1', function () { console.log(this.address().port); });`;

const residentOf = (pid) => Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) * 1024;

/** Opens sessions a hundred at a time. */
async function openSessions(url, token, count) {
  const sessions = [];
  for (let n = 0; n < count; n += 100) {
    const some = Array.from({ length: 100 }, () => new SseSocket(url, token, () => undefined));
    await Promise.all(some.map((session) => session.opened));
    sessions.push(...some);
  }
  return sessions;
}

/** @returns bytes per idle event stream of a server that does nothing else; null where /proc is missing */
async function bareSessionBytes(count) {
  if (process.platform !== 'linux') return null;
  const server = spawn(process.execPath, ['-e', BARE_SERVER], { stdio: ['ignore', 'pipe', 'inherit'] });
  try {
    const [port] = await once(server.stdout, 'data');
    const url = `http://127.0.0.1:${String(port).trim()}/`;
    const warm = await openSessions(url, '', 500);
    await elapse(3000);
    const before = residentOf(server.pid);
    const sessions = await openSessions(url, '', count);
    await elapse(3000);
    const bytes = (residentOf(server.pid) - before) / count;
    for (const session of [...sessions, ...warm]) session.close();
    return bytes;
  } finally {
    server.kill('SIGKILL');
  }
}

/** Resident bytes of fanout, after it had time to settle. Linux keeps them in /proc; elsewhere the process's own metric has them. */
async function residentBytes(system) {
  await elapse(3000);
  const pid = system.pid('fanout');
  if (process.platform === 'linux') return residentOf(pid);
  const text = await (await fetch(`${system.urls.fanout}/metrics`)).text();
  return Number(/^process_resident_memory_bytes\S* (\S+)/m.exec(text)[1]);
}

export async function memory({ system, isQuick }) {
  const sessionCount = isQuick ? 1000 : 2000;
  const streamCount = isQuick ? 5000 : 20_000;
  const { streamNo, readToken } = await openStream(system, { leaseMs: 600_000 });
  const watch = (count) => openSessions(`${system.urls.fanout}/v1/watch/${streamNo}/events`, readToken, count);
  const bare = await bareSessionBytes(sessionCount);
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
    row('memory of fanout', `per idle SSE session (${sessionCount})`, perSession, 'KiB', {
      ...(bare === null ? {} : { reference: bare / 1024, ratio: (perSession * 1024) / bare }), target: '< 20 KiB', met: perSession < 20,
    }),
    row('memory of fanout', `per open idle stream (${streamCount})`, perStream, 'KiB', { target: '< 2 KiB', met: perStream < 2 }),
  ];
}
