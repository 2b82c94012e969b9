// A live ticker. Start Rivulet with `RIVULET_CORS_ORIGINS=http://127.0.0.1:7203 npm start`, take the key it prints, and in another terminal:
// `RIVULET_KEY=… node examples/ticker/server.mjs`, then open http://127.0.0.1:7203/ in as many tabs as you like. With `merge: 'latest'` a
// page that comes late, was away or reads slowly gets the newest values at once, and never what they have replaced.
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import { rivulet } from '@rivulet/client';

const { RIVULET_URL: url = 'http://127.0.0.1:7100', RIVULET_KEY: token = '', PORT = '7203' } = process.env;
const packages = { rivulet: new URL('../browser/', import.meta.resolve('@rivulet/client')), parser: new URL('.', import.meta.resolve('eventsource-parser')) };
const stream = await rivulet({ url, token }).open({ channel: 'ticker', contentType: 'application/json', merge: 'latest' });

let isOver = false;

async function tick() {
  const prices = { KAFKA: 100, NODE: 100, RIVULET: 100 };
  for (let number = 1; !stream.signal.aborted && !isOver; number += 1) {
    for (const name of Object.keys(prices)) prices[name] *= 1 + (Math.random() - 0.5) / 100;
    await stream.write({ number, prices });
    await pause(20);
  }
}

createServer(async (request, response) => {
  const [, first, second = ''] = request.url.split('/');
  const reply = (type, body) => response.writeHead(200, { 'content-type': type }).end(body);
  try {
    if (first === 'ticket') return reply('application/json', JSON.stringify({ url, token: stream.readToken, streamNo: stream.streamNo }));
    if (packages[first]) return reply('text/javascript', await readFile(new URL(/^[\w-]+\.js$/.exec(second)[0], packages[first])));
    return reply('text/html; charset=utf-8', await readFile(new URL('page.html', import.meta.url)));
  } catch (error) {
    response.writeHead(500).end(error.message);
  }
}).listen(Number(PORT), '127.0.0.1', function () { console.log(`http://127.0.0.1:${this.address().port}/`); });
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => { isOver = true; });
await tick();
if (isOver) await stream.end();
process.exit();
