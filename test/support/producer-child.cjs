'use strict';
// A producer in a process of its own, by the SDK: what tests kill -9 or stop in the middle. It says on stdout, one JSON object a line,
// what it knows: {kind: 'started' | 'acknowledged' | 'failed' | 'ended', …}. producer-process.ts starts it.
const { Producer, rivulet } = require('@rivulet/client');

/** @type {{ url: string, apiKey: string, open?: object, retry?: { streamNo: string, keep: 'all' | 'none' }, resume?: object,
 *   fragments: number, intervalMs: number, word: string }} */
const order = JSON.parse(process.argv[2] ?? '{}');
const say = (/** @type {object} */ line) => process.stdout.write(`${JSON.stringify(line)}\n`);

async function start() {
  const client = rivulet({ url: order.url, token: order.apiKey });
  if (order.retry) return client.retry(order.retry.streamNo, { keep: order.retry.keep });
  // A process that kept its token and forgot how far it was: it begins again, in the same epoch.
  if (order.resume) return new Producer({ url: order.url, fetch }, { ...order.resume, next: 1, checksum: 0 });
  return client.open(order.open);
}

async function main() {
  const producer = await start();
  const { streamNo, epoch, writeToken, acknowledged } = producer;
  say({ kind: 'started', streamNo, epoch, writeToken, next: acknowledged + 1 });
  producer.signal.addEventListener('abort', () => say({ kind: 'failed', code: producer.signal.reason.code, text: String(producer.signal.reason.message) }));
  for (let n = 1; n <= order.fragments; n += 1) {
    const text = `${order.word}${n} `;
    await producer.write(text);
    await producer.flush();
    say({ kind: 'acknowledged', sequence: producer.acknowledged, text });
    await new Promise((resolve) => setTimeout(resolve, order.intervalMs));
  }
  const verdict = await producer.end();
  say({ kind: 'ended', status: verdict.status });
}

main().catch((error) => {
  say({ kind: 'failed', code: error.code ?? error.name, text: String(error.message) });
  process.exitCode = 1;
});
