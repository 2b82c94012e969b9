'use strict';
// The producers of a storm, in a process of their own: beside two thousand sessions an append would wait for these, not for the service.
// fork(): takes {kind: "begin", url, streams, perSecond}; "report" tells what is new since the last one; "stop" ends the streams first.

const TEXT = 'x'.repeat(80);

const elapse = (/** @type {number} */ ms) => new Promise((resolve) => setTimeout(resolve, ms));
const now = () => performance.timeOrigin + performance.now();

/** @typedef {{ streamNo: string, writeToken: string }} Opened */
/** @typedef {{ at: number, ms: number }} Append when it began, ms since the epoch, and how long it took */
/** @typedef {{ appends: Append[], sequences: number[], failures: string[] }} Report */

/** One fragment per period, each awaited; what is not acknowledged at the first try is a failure. */
class StormProducer {
  /** @type {Append[]} */
  appends = [];
  /** @type {string[]} */
  failures = [];
  sequence = 0;
  #isStopping = false;

  /** @param {string} url of ingest @param {Opened} stream */
  constructor(url, stream) {
    this.url = url;
    this.stream = stream;
  }

  /** @param {string} verb @param {object} body */
  async #post(verb, body) {
    const response = await fetch(`${this.url}/v1/streams/${this.stream.streamNo}/${verb}`, {
      method: 'POST', headers: { authorization: `Bearer ${this.stream.writeToken}`, 'content-type': 'application/json' }, body: JSON.stringify(body),
    });
    const text = await response.text();
    if (!response.ok) this.failures.push(`${verb} ${this.sequence}: ${response.status} ${text}`);
  }

  /** @param {number} perSecond @param {number} phase 0 to 1 */
  async run(perSecond, phase) {
    const periodMs = 1000 / perSecond;
    for (let due = now() + phase * periodMs; !this.#isStopping; due += periodMs) {
      await elapse(Math.max(0, due - now()));
      const at = now();
      this.sequence += 1;
      await this.#post('fragments', { seq: this.sequence, data: `${this.sequence} ${TEXT}\n` });
      this.appends.push({ at, ms: now() - at });
    }
    await this.#post('end', { lastSeq: this.sequence });
  }

  stop() {
    this.#isStopping = true;
  }
}

/** @type {StormProducer[]} */
let producers = [];
/** @type {Promise<unknown>} */
let running = Promise.resolve();

/** @param {{ url: string, streams: Opened[], perSecond: number }} load */
function begin({ url, streams, perSecond }) {
  producers = streams.map((stream) => new StormProducer(url, stream));
  running = Promise.all(producers.map((producer, index) => producer.run(perSecond, index / streams.length)));
}

function report() {
  /** @type {Report} */
  const told = { appends: [], sequences: producers.map(({ sequence }) => sequence), failures: [] };
  for (const producer of producers) {
    told.appends.push(...producer.appends.splice(0));
    told.failures.push(...producer.failures.splice(0));
  }
  process.send?.(told);
}

process.on('message', async (/** @type {any} */ message) => {
  if (message.kind === 'begin') begin(message);
  for (const producer of message.kind === 'stop' ? producers : []) producer.stop();
  if (message.kind === 'stop') await running;
  report();
});
process.on('disconnect', () => process.exit(0));
