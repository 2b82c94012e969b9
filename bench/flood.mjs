// A flood of bulk fragments, in a process of its own: NDJSON bodies that never end, read by ingest as fast as it takes them; or, with
// isPosted, one POST after the other.
// fork(…, [JSON of [{url, apiKey, producers, lineBytes, bytesPerSecond, isPosted}]]): bytesPerSecond of each producer, 0: as fast as taken.
// Says {kind: 'flooding'} once everything flows, and on a message {kind: 'report'} answers {kind: 'acknowledged', bytes}.
import { once } from 'node:events';
import http from 'node:http';
import { reportFlood } from './flood-report.mjs';
import { openStream } from './streams.mjs';

const orders = JSON.parse(process.argv[2]);
const TICK_MS = 10;
let acknowledgedBytes = 0;

/** Takes acknowledgement lines; they come in any pieces. */
function countLines(response, lineBytes) {
  let rest = '';
  response.setEncoding('utf8');
  response.on('data', (text) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop();
    for (const line of lines) {
      if (line === '') continue;
      const { from, to, code, detail } = JSON.parse(line);
      if (code) throw new Error(`flood: ${code} ${detail}`);
      acknowledgedBytes += (to - from + 1) * lineBytes;
    }
  });
}

const openBulk = ({ url, apiKey }) =>
  openStream({ urls: { ingest: url }, apiKey }, { class: 'bulk', contentType: 'text/plain; charset=utf-8' });

async function post(order) {
  const { streamNo, writeToken } = await openBulk(order);
  const headers = { authorization: `Bearer ${writeToken}`, 'content-type': 'application/json' };
  const data = 'x'.repeat(order.lineBytes);
  for (let seq = 1; ; seq += 1) {
    const response = await fetch(`${order.url}/v1/streams/${streamNo}/fragments`, { method: 'POST', headers, body: JSON.stringify({ seq, data }) });
    const text = await response.text();
    if (response.status !== 200) throw new Error(`flood: ${text}`);
    acknowledgedBytes += order.lineBytes;
  }
}

async function produce(order) {
  const { url, lineBytes, bytesPerSecond } = order;
  const { streamNo, writeToken } = await openBulk(order);
  const request = http.request(`${url}/v1/streams/${streamNo}/fragments`, {
    method: 'POST', headers: { authorization: `Bearer ${writeToken}`, 'content-type': 'application/x-ndjson' },
  });
  request.on('response', (response) => countLines(response, lineBytes));
  request.on('error', (error) => { throw error; });
  const filler = 'x'.repeat(lineBytes);
  const startedAt = performance.now();
  let sequence = 0;
  for (;;) {
    if (bytesPerSecond > 0) {
      const due = ((performance.now() - startedAt) / 1000) * bytesPerSecond;
      if (sequence * lineBytes >= due) {
        await new Promise((resolve) => setTimeout(resolve, TICK_MS));
        continue;
      }
    }
    sequence += 1;
    if (!request.write(`{"seq":${sequence},"data":"${filler}"}\n`)) await once(request, 'drain');
    else if (sequence % 64 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
}

for (const order of orders) for (let n = 0; n < order.producers; n++) void (order.isPosted ? post(order) : produce(order));
reportFlood(() => acknowledgedBytes);
