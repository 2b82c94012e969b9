'use strict';
// Network drops: named sessions over SSE and WebSocket behind a proxy that again and again resets every connection and takes none for a
// while, as a lift or a tunnel does. test/integrity/drops.test.ts judges it, bench/drops.mjs measures it.
const { createHash } = require('node:crypto');
const { rivulet } = require('@rivulet/client');
const { FaultProxy } = require('./fault-proxy.cjs');

const PACE_MS = 100;
const FINISH_MS_MAX = 180_000;
const FAULTS_MAX = 20;

const elapse = (/** @type {number} */ ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** One named session by the SDK, from the first fragment to the final event. */
class DroppedSession {
  sequence = 0;
  connections = 0;
  digest = '';
  /** @type {string[]} what should not have been */
  faults = [];

  /** @param {import('@rivulet/client').Rivulet} client @param {string} streamNo @param {{ name: string, transport: 'sse' | 'ws' }} how */
  constructor(client, streamNo, { name, transport }) {
    this.name = name;
    this.streamNo = streamNo;
    this.finished = this.#follow(client.watch(streamNo, { transport, session: name }));
    this.finished.catch(() => undefined); // whoever awaits the run sees it; nobody else must crash on it
  }

  /** @param {AsyncIterable<import('@rivulet/client').ReaderEvent>} watching */
  async #follow(watching) {
    const hash = createHash('sha256');
    for await (const event of watching) {
      if (event.type === 'stream') this.connections += 1;
      if (event.type === 'rewind') this.#fault('rewound');
      if (event.type !== 'fragment') continue;
      if (event.from !== this.sequence + 1) this.#fault(`${event.from} after ${this.sequence}`);
      this.sequence = event.to;
      hash.update(event.text ?? '');
    }
    this.digest = hash.digest('hex');
  }

  /** @param {string} what */
  #fault(what) {
    if (this.faults.length < FAULTS_MAX) this.faults.push(`${this.name}: ${what}`);
  }
}

class DropRun {
  /** @type {DroppedSession[]} */
  sessions = [];
  /** Fragments each stream got, by streamNo. @type {Map<string, { written: number, digest: string }>} */
  streams = new Map();
  #isOver = false;
  /** @type {FaultProxy | undefined} */
  #proxy;
  /** @type {Promise<unknown> | undefined} */
  #writing;

  /** @param {any} system */
  constructor(system) {
    this.system = system;
    this.client = rivulet({ url: system.urls.proxy, token: system.apiKey });
  }

  /** @param {{ streamCount: number, sessionCount: number }} load half of the sessions on SSE, half on WebSocket */
  async begin({ streamCount, sessionCount }) {
    const { system, client } = this;
    this.#proxy = await new FaultProxy({ port: Number(new URL(system.urls.proxy).port) }).listen();
    const dropped = rivulet({ url: `http://127.0.0.1:${this.#proxy.port}`, token: system.apiKey });
    const producers = await Promise.all(Array.from({ length: streamCount }, () => client.open({})));
    this.#writing = Promise.all(producers.map((producer) => this.#write(producer)));
    this.#writing.catch(() => undefined);
    for (let n = 0; n < sessionCount; n += 1) {
      const transport = n % 2 === 0 ? 'sse' : 'ws';
      const { streamNo } = producers[Math.floor(n / 2) % streamCount];
      this.sessions.push(new DroppedSession(dropped, streamNo, { name: `${transport}-${n + 1}`, transport }));
    }
  }

  /** The network of all sessions is gone for a while. @param {number} ms */
  async drop(ms) {
    await this.#proxy?.refuse();
    await elapse(ms);
    await this.#proxy?.accept();
  }

  /** Ends the streams, waits for every session. @returns {Promise<string[]>} everything that went wrong */
  async end() {
    this.#isOver = true;
    await this.#writing;
    /** @type {NodeJS.Timeout | undefined} */
    let timer;
    const late = new Promise((_, reject) => {
      timer = setTimeout(() => reject(new Error(`sessions do not finish within ${FINISH_MS_MAX} ms`)), FINISH_MS_MAX);
    });
    await Promise.race([Promise.all(this.sessions.map(({ finished }) => finished)), late]).finally(() => clearTimeout(timer));
    const faults = this.sessions.flatMap((session) => {
      const { written, digest } = this.streams.get(session.streamNo) ?? {};
      const isWhole = session.sequence === written && session.digest === digest;
      return isWhole ? session.faults : [...session.faults, `${session.name}: has ${session.sequence} of ${written}, or other bytes`];
    });
    return [...faults, ...await this.#unconfirmed()];
  }

  async close() {
    this.#isOver = true;
    await this.#proxy?.close();
  }

  /** Proof of delivery: the list of each stream names all of its sessions at the final event [WATCH-7]. */
  async #unconfirmed() {
    const faults = [];
    for (const streamNo of this.streams.keys()) {
      const { confirmed = [] } = await this.client.state(streamNo);
      const isConfirmed = new Set(confirmed.filter(({ isFinal }) => isFinal).map(({ session }) => session));
      const missing = this.sessions.filter((session) => session.streamNo === streamNo && !isConfirmed.has(session.name));
      faults.push(...missing.map(({ name }) => `${name}: its delivery is not confirmed`));
    }
    return faults;
  }

  /** @param {import('@rivulet/client').Producer} producer */
  async #write(producer) {
    const hash = createHash('sha256');
    let written = 0;
    while (!this.#isOver) {
      written += 1;
      const text = `${written} of ${producer.streamNo}\n`;
      hash.update(text);
      await producer.write(text);
      await elapse(PACE_MS);
    }
    await producer.end();
    this.streams.set(producer.streamNo, { written, digest: hash.digest('hex') });
  }
}

module.exports = { DropRun };
