'use strict';
// A reconnect storm on a running system: many sessions drop at once and come back, first because their network went, then because
// fanout was killed and started again, while producers in another process go on. test/integrity/storm.test.ts judges it,
// bench/storm.mjs measures it.
const { execFileSync, fork } = require('node:child_process');
const { once } = require('node:events');
const fs = require('node:fs');
const path = require('node:path');
const { StormSession } = require('./storm-session.cjs');

/** Generous: who finds no room among the connections that wait comes again after up to half a minute. */
const BACK_MS_MAX = 180_000;
const RESIDENT_MS = 100;
const PRODUCERS = path.join(__dirname, 'storm-producers.cjs');

const elapse = (/** @type {number} */ ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** @param {number} pid @returns {number} resident bytes; 0 when it is gone */
function residentBytes(pid) {
  try {
    if (process.platform !== 'linux') return Number(execFileSync('ps', ['-o', 'rss=', '-p', String(pid)], { encoding: 'utf8' })) * 1024;
    return Number(/VmRSS:\s+(\d+) kB/.exec(fs.readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}

/** @param {any} system @returns {Promise<Opened>} */
async function openStream(system) {
  const response = await fetch(`${system.urls.ingest}/v1/streams`, {
    method: 'POST', headers: { authorization: `Bearer ${system.apiKey}`, 'content-type': 'application/json' }, body: '{}',
  });
  if (response.status !== 201) throw new Error(`open: ${response.status} ${await response.text()}`);
  return /** @type {Promise<Opened>} */ (response.json());
}

/** @param {() => boolean} isTrue @param {() => string} what */
async function until(isTrue, what) {
  const deadline = performance.now() + BACK_MS_MAX;
  while (!isTrue()) {
    if (performance.now() > deadline) throw new Error(`after ${BACK_MS_MAX} ms: ${what()}`);
    await elapse(20);
  }
}

/** @param {number[]} values */
function quantiles(values) {
  const sorted = Float64Array.from(values).sort();
  const at = (/** @type {number} */ q) => sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? NaN;
  return { p50: at(0.5), p99: at(0.99), max: at(1), count: sorted.length };
}

/**
 * What one phase did: until each session had content again, the producers' time per append, the most memory fanout had.
 * @typedef {{ backMs: Quantiles, appendMs: Quantiles, residentBytesMax: number }} Phase
 * @typedef {ReturnType<typeof quantiles>} Quantiles
 */

class StormRun {
  /** @type {StormSession[]} */
  sessions = [];
  /** Of each stream, how many fragments were sent. @type {number[]} */
  sequences = [];
  /** @type {string[]} */
  #failures = [];
  #producers = fork(PRODUCERS);
  #residentBytesMax = 0;
  /** @type {NodeJS.Timeout | undefined} */
  #sampler;

  /** @param {any} system */
  constructor(system) {
    this.system = system;
  }

  /** @param {{ streamCount: number, sessionCount: number, perSecond: number }} load */
  async begin({ streamCount, sessionCount, perSecond }) {
    const streams = await Promise.all(Array.from({ length: streamCount }, () => openStream(this.system)));
    await this.#ask({ kind: 'begin', url: this.system.urls.ingest, streams, perSecond });
    for (let n = 0; n < sessionCount; n += 1) {
      const session = new StormSession(this.system.urls.fanout, /** @type {Opened} */ (streams[n % streamCount]));
      session.connect();
      this.sessions.push(session);
      if (n % 100 === 99) await this.#untilContent(0);
    }
    this.#sampler = setInterval(() => {
      this.#residentBytesMax = Math.max(this.#residentBytesMax, residentBytes(this.system.pid('fanout')));
    }, RESIDENT_MS);
  }

  /** @param {number} ms @returns {Promise<Phase>} */
  calm(ms) {
    return this.#measure(() => elapse(ms));
  }

  /** Every connection is reset at once; fanout lives. @returns {Promise<Phase>} */
  drop() {
    return this.#measure(async (start) => {
      for (const session of this.sessions) session.drop();
      await this.#untilContent(start);
    });
  }

  /** @returns {Promise<Phase>} */
  killFanout() {
    return this.#measure(async (start) => {
      await this.system.kill('fanout', 'SIGKILL');
      await this.system.restart('fanout');
      await this.#untilContent(start);
    });
  }

  /** Ends the streams and waits until every session has its final event. @returns {Promise<string[]>} everything that went wrong */
  async end() {
    await this.#ask({ kind: 'stop' });
    await until(() => this.sessions.every((session) => session.isFinal),
      () => `${this.sessions.filter((session) => !session.isFinal).length} sessions without a final event`);
    this.close();
    return [...this.sessions.flatMap(({ faults }) => faults), ...this.#failures];
  }

  close() {
    clearInterval(this.#sampler);
    this.#producers.kill('SIGKILL');
    for (const session of this.sessions) session.close();
  }

  /** @param {object} message to the producers @returns {Promise<import('./storm-producers.cjs').Append[]>} since the last one */
  async #ask(message) {
    const gone = once(this.#producers, 'exit').then(() => { throw new Error('The producers of the storm have died.'); });
    gone.catch(() => undefined);
    this.#producers.send(message);
    /** @type {[import('./storm-producers.cjs').Report]} */
    const [{ appends, sequences, failures }] = await Promise.race([/** @type {any} */ (once(this.#producers, 'message')), gone]);
    this.sequences = sequences;
    this.#failures.push(...failures);
    return appends;
  }

  /** @param {(start: number) => Promise<unknown>} work @returns {Promise<Phase>} */
  async #measure(work) {
    this.#residentBytesMax = 0;
    const start = performance.now();
    await work(start);
    const appends = (await this.#ask({ kind: 'report' })).filter(({ at }) => at >= performance.timeOrigin + start);
    return {
      backMs: quantiles(this.sessions.map(({ contentFrom }) => Math.max(0, contentFrom - start))),
      appendMs: quantiles(appends.map(({ ms }) => ms)),
      residentBytesMax: this.#residentBytesMax,
    };
  }

  /** @param {number} start */
  #untilContent(start) {
    return until(() => this.sessions.every((session) => session.contentFrom > start),
      () => `${this.sessions.filter((session) => session.contentFrom <= start).length} sessions have no content again`);
  }
}

module.exports = { StormRun };
