// A file drop. Start Rivulet with `RIVULET_CORS_ORIGINS=http://127.0.0.1:7202 npm start`, take the key it prints, and in another terminal:
// `RIVULET_KEY=… node examples/file-drop/server.mjs`, then open http://127.0.0.1:7202/ and drop a file. Its link opens in a second page,
// which receives while the first still sends; `curl -L http://127.0.0.1:7202/files/<streamNo> -o file` works too. All see the same SHA-256.
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { json } from 'node:stream/consumers';
import { rivulet } from '@rivulet/client';

const { RIVULET_URL: url = 'http://127.0.0.1:7100', RIVULET_KEY: token = '', PORT = '7202' } = process.env;
const client = rivulet({ url, token });
const packages = { rivulet: new URL('../browser/', import.meta.resolve('@rivulet/client')), parser: new URL('.', import.meta.resolve('eventsource-parser')) };

/** Streams that wait for their bytes. */
const opened = new Map();

async function open(metadata) {
  const stream = await client.open({ channel: 'drop', contentType: 'application/octet-stream', class: 'bulk', metadata });
  opened.set(stream.streamNo, stream);
  stream.signal.addEventListener('abort', () => opened.delete(stream.streamNo));
  return { streamNo: stream.streamNo };
}

async function take(streamNo, request) {
  const stream = opened.get(streamNo);
  opened.delete(streamNo);
  try {
    for await (const bytes of request) await stream.write(bytes); // waits while the window is full, and with it the sender
    await stream.end(); // seals the SHA-256 of what was written
    return await client.state(streamNo);
  } catch (error) {
    await stream.abort('UPLOAD_FAILED', error.message);
    throw error;
  }
}

createServer(async (request, response) => {
  const [, first, second = ''] = request.url.split('/');
  const reply = (type, body) => response.writeHead(200, { 'content-type': type }).end(body);
  try {
    if (request.method === 'POST') return reply('application/json', JSON.stringify(await open(await json(request))));
    if (request.method === 'PUT') return reply('application/json', JSON.stringify(await take(second, request)));
    if (packages[first]) return reply('text/javascript', await readFile(new URL(/^[\w-]+\.js$/.exec(second)[0], packages[first])));
    if (first === '') return reply('text/html; charset=utf-8', await readFile(new URL('page.html', import.meta.url)));
    const ticket = { url, ...(await client.issueToken({ streamNo: second })) };
    if (first === 'tickets') return reply('application/json', JSON.stringify(ticket));
    return response.writeHead(302, { location: `${url}/v1/watch/${second}/content?live&token=${ticket.token}` }).end();
  } catch (error) {
    response.writeHead(500).end(error.message);
  }
}).listen(Number(PORT), '127.0.0.1', function () { console.log(`http://127.0.0.1:${this.address().port}/`); });
