// A file of 1 GiB through a stream, received while it is sent, and every fanout killed -9 once midway: the same bytes, how fast, and what
// each process needed above its idle memory. Sender and receiver are processes of their own. There is no reference: bare Kafka has no
// files.
import { fork } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { createReadStream, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { open } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { row } from './report.mjs';
import { elapse } from './streams.mjs';

const PEER = fileURLToPath(new URL('./file-peer.mjs', import.meta.url));
const MIB = 1_048_576;
const GOAL_MIB = 150;
const SAMPLE_MS = 100;

const residentOf = (pid) => {
  try {
    return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) * 1024;
  } catch {
    return 0; // gone
  }
};

/** The most each process takes above what it took when it was first seen. Linux only: elsewhere it says nothing. */
class MemoryWatch {
  #seen = new Map();
  /** @param pids () => {role: pid} */
  constructor(pids) {
    this.#sample(pids());
    this.timer = setInterval(() => this.#sample(pids()), SAMPLE_MS);
  }
  #sample(pids) {
    if (process.platform !== 'linux') return;
    for (const [role, pid] of Object.entries(pids)) {
      const bytes = residentOf(pid);
      if (bytes === 0) continue;
      const { idle, most } = this.#seen.get(role) ?? { idle: bytes, most: bytes };
      this.#seen.set(role, { idle, most: Math.max(most, bytes) });
    }
  }
  stop() {
    clearInterval(this.timer);
    return [...this.#seen].map(([role, { idle, most }]) => ({ role, mib: (most - idle) / MIB }));
  }
}

/** Sends or receives in a process of its own. */
class Peer {
  bytes = 0;
  constructor(order, onMessage = () => undefined) {
    this.child = fork(PEER, [JSON.stringify(order)]);
    this.ready = new Promise((resolve) => { this.child.on('message', ({ kind }) => kind === 'ready' && resolve()); });
    this.done = new Promise((resolve, reject) => {
      this.child.on('message', (message) => {
        if (message.kind === 'progress') this.bytes = message.bytes;
        if (message.kind === 'done') resolve(message);
        onMessage(message);
      });
      this.child.once('exit', (code) => reject(new Error(`a peer ended with code ${code}`)));
    });
    this.done.catch(() => undefined);
  }
}

async function makeFile(name, bytes) {
  const file = await open(name, 'w');
  for (let at = 0; at < bytes; at += 4 * MIB) await file.write(randomBytes(Math.min(4 * MIB, bytes - at)));
  await file.close();
}

async function digestOf(name) {
  const hash = createHash('sha256');
  for await (const bytes of createReadStream(name)) hash.update(bytes);
  return hash.digest('hex');
}

export async function file({ system, isQuick }) {
  const bytes = (isQuick ? 128 : 1024) * MIB;
  const folder = mkdtempSync(path.join(os.tmpdir(), 'rivulet-bench-file-'));
  const peers = [];
  const start = (order, onMessage) => {
    const peer = new Peer({ url: system.urls.proxy, token: system.apiKey, ...order }, onMessage);
    peers.push(peer);
    return peer;
  };
  try {
    const [source, target] = [path.join(folder, 'source'), path.join(folder, 'target')];
    await makeFile(source, bytes);
    const receiver = start({ role: 'receive', target });
    const sender = start({ role: 'send', source }, ({ kind, streamNo }) => kind === 'opened' && receiver.child.send({ streamNo }));
    await Promise.all([receiver.ready, sender.ready]);
    const roles = () => ({
      sender: sender.child.pid, receiver: receiver.child.pid, ingest: system.pid('ingest'), 'fanout 1': system.pid('fanout', 0), 'fanout 2': system.pid('fanout', 1),
    });
    const memory = new MemoryWatch(roles);
    const startedAt = performance.now();
    sender.child.send({ kind: 'go' });
    for (const [share, index] of [[0.3, 0], [0.6, 1]]) {
      while (receiver.bytes < bytes * share) await Promise.race([elapse(20), Promise.all([sender.done, receiver.done])]);
      await system.kill('fanout', 'SIGKILL', index);
      await system.restart('fanout', index);
    }
    await sender.done;
    const sentMs = performance.now() - startedAt;
    await receiver.done;
    const receivedMs = performance.now() - startedAt;
    const used = memory.stop();
    const isSame = await digestOf(source) === await digestOf(target);
    const question = `a file of ${bytes / MIB} MiB, each fanout killed once`;
    return [
      row(question, 'other bytes received', isSame ? 0 : 1, '', { target: '0', met: isSame }),
      row(question, 'sent and sealed', bytes / MIB / (sentMs / 1000), 'MiB/s'),
      row(question, 'received meanwhile, whole and checked', bytes / MIB / (receivedMs / 1000), 'MiB/s'),
      ...used.map(({ role, mib }) => row(question, `memory above idle: ${role}`, mib, 'MiB', { target: `< ${GOAL_MIB}`, met: mib < GOAL_MIB })),
    ];
  } finally {
    for (const { child } of peers) child.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  }
}
