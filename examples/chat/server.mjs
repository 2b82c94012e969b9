// An LLM chat. Start Rivulet with `RIVULET_CORS_ORIGINS=http://127.0.0.1:7201 npm start`, take the key it prints, and in another terminal:
// `RIVULET_KEY=… node examples/chat/server.mjs`, then open http://127.0.0.1:7201/. A reload, another tab or a dead network lose nothing.
// The model: OPENAI_BASE_URL (any compatible one), OPENAI_API_KEY, OPENAI_MODEL. Without a URL the answer is the question, word by word.
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { json } from 'node:stream/consumers';
import { setTimeout as pause } from 'node:timers/promises';
import { rivulet } from '@rivulet/client';
import { EventSourceParserStream } from 'eventsource-parser/stream';

const { RIVULET_URL: url = 'http://127.0.0.1:7100', RIVULET_KEY: token = '', PORT = '7201' } = process.env;
const { OPENAI_BASE_URL, OPENAI_API_KEY, OPENAI_MODEL = 'gpt-4o-mini' } = process.env;
const client = rivulet({ url, token });
const packages = { rivulet: new URL('../browser/', import.meta.resolve('@rivulet/client')), parser: new URL('.', import.meta.resolve('eventsource-parser')) };

async function* model(messages, signal) {
  const words = OPENAI_BASE_URL ? [] : `You said: ${messages.at(-1).content}`.split(/(?<= )/);
  for (const word of words) yield await pause(100, word, { signal });
  if (!OPENAI_BASE_URL) return;
  const headers = { 'content-type': 'application/json', authorization: `Bearer ${OPENAI_API_KEY}` };
  const body = JSON.stringify({ model: OPENAI_MODEL, messages, stream: true });
  const response = await fetch(`${OPENAI_BASE_URL}/chat/completions`, { method: 'POST', headers, body, signal });
  for await (const { data } of response.body.pipeThrough(new TextDecoderStream()).pipeThrough(new EventSourceParserStream())) {
    if (data !== '[DONE]') yield JSON.parse(data).choices[0]?.delta?.content ?? '';
  }
}

/** The streams of the channel are the chat: each has its question in the metadata, and the answer as content. Oldest first. */
const turns = async (channel) => (await client.streams({ channel })).streams.reverse();
const ticketOf = async ({ streamNo, metadata }) => ({ url, streamNo, ...metadata, ...(await client.issueToken({ streamNo, scope: 'read cancel' })) });

async function answer(channel, metadata) {
  const messages = [{ role: 'user', content: metadata.question }];
  for (const { streamNo, status, metadata: { question } } of (await turns(channel)).reverse()) {
    if (status === 'ended') messages.unshift({ role: 'user', content: question }, { role: 'assistant', content: await client.watch(streamNo).text() });
  }
  const options = { channel, metadata, intervalMs: 100, heartbeatMs: 400 };
  const sending = (onOpen) => client.send((signal) => model(messages, signal), { ...options, onOpen });
  // Replies at once; the answer goes on without the request, until its end or until a reader stops it, when the signal fires.
  const { streamNo } = await new Promise((resolve, reject) => sending(resolve).catch((error) => reject(console.log(error.message))));
  return ticketOf({ streamNo, metadata });
}

createServer(async (request, response) => {
  const [, first, second] = request.url.split('/');
  const reply = (type, body) => response.writeHead(200, { 'content-type': type }).end(body);
  try {
    if (packages[first]) return reply('text/javascript', await readFile(new URL(/^[\w-]+\.js$/.exec(second)[0], packages[first])));
    if (first !== 'chats') return reply('text/html; charset=utf-8', await readFile(new URL('page.html', import.meta.url)));
    const chat = request.method === 'POST' ? answer(second, await json(request)) : Promise.all((await turns(second)).map(ticketOf));
    reply('application/json', JSON.stringify(await chat));
  } catch (error) {
    response.writeHead(500).end(error.message);
  }
}).listen(Number(PORT), '127.0.0.1', function () { console.log(`http://127.0.0.1:${this.address().port}/`); });
