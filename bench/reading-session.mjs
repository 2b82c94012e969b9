// One SSE session of bench/slow-reader.mjs that hashes what it reads; and, started by fork(…, [JSON of {url, token, sessions,
// bytesPerSecond}]), several slow ones in a process of their own, so that their reading weighs on nobody whose latency is measured. Says
// 'opened'; answers 'report' with {sequence}, the furthest of them; reads on at full speed after 'hurry' and then says {frames, digests}.
import { createHash } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { SseSocket } from './wire-sockets.mjs';

/** Each fragment ends with the time it was sent. */
export const STAMP_CHARACTERS = 16;

/** `bytesPerSecond` 0: as fast as it comes. */
export class ReadingSession {
  frames = 0; sequence = 0; latencies = [];
  #hash = createHash('sha256'); #over;

  constructor(url, token, bytesPerSecond) {
    this.finished = new Promise((resolve) => { this.#over = resolve; });
    this.socket = new SseSocket(url, token, (name, data) => this.#take(name, data), { bytesPerSecond });
    this.opened = this.socket.opened;
  }

  #take(name, data) {
    if (name === 'final') this.#over();
    if (name !== 'fragment') return;
    const { to, text } = JSON.parse(data);
    this.frames += 1;
    this.sequence = to;
    this.#hash.update(text);
    this.latencies.push({ sequence: to, ms: performance.now() - Number(text.slice(-STAMP_CHARACTERS)) });
  }

  digest() {
    return this.#hash.digest('hex');
  }
}

async function readSlowly({ url, token, sessions, bytesPerSecond }) {
  const slow = Array.from({ length: sessions }, () => new ReadingSession(url, token, bytesPerSecond));
  process.on('disconnect', () => process.exit(0));
  process.on('message', (order) => {
    if (order === 'report') process.send({ sequence: Math.max(...slow.map(({ sequence }) => sequence)) });
    else for (const { socket } of slow) socket.hurry();
  });
  await Promise.all(slow.map(({ opened }) => opened));
  process.send('opened');
  await Promise.all(slow.map(({ finished }) => finished));
  process.send({ frames: slow.map(({ frames }) => frames), digests: slow.map((session) => session.digest()) });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await readSlowly(JSON.parse(process.argv[2]));
