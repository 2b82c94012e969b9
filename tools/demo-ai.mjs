// The AI part of `npm run demo -- ai`: a question is answered in the page's pace while the host that answers is killed -9; then one is
// cancelled, and the model hears of it at once. The model is one of your own (--base-url, --model, the key in OPENAI_API_KEY), or a small
// server here that speaks the same format and always says the same, so that what readers saw can be compared.
import http from 'node:http';
import { createRequire } from 'node:module';
import { setTimeout as elapse } from 'node:timers/promises';

const WORD_MS = 60;
const HOLD_MS_MAX = 60_000;
const ANSWER = 'A stream is a message that arrives in pieces. Whoever writes it may die in the middle; another one goes on, on the same number, '
  + 'and whoever reads it sees one text, in order and once. It ends when somebody says so, and that is a fact in the log like every other. '
  + '流是分段到达的消息：写的人可以换，读的人只看到一段完整的话。';

/** @returns {Promise<{ url: string, abortedAt: () => number | null, stop: () => void }>} */
export async function startModel() {
  let abortedAt = null;
  const server = http.createServer(async (request, response) => {
    request.resume();
    response.on('close', () => { if (!response.writableFinished) abortedAt = performance.now(); });
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    const say = (delta, finish = null) => response.write(`data: ${JSON.stringify({
      id: 'demo', object: 'chat.completion.chunk', created: 1, model: 'demo', choices: [{ index: 0, delta, finish_reason: finish }],
    })}\n\n`);
    for (const word of ANSWER.match(/\S+\s*|[\u4e00-\u9fff]/g) ?? []) {
      say({ content: word });
      await elapse(WORD_MS);
      if (response.destroyed) return;
    }
    say({}, 'stop');
    response.end('data: [DONE]\n\n');
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const stop = () => { server.closeAllConnections(); server.close(); };
  return { url: `http://127.0.0.1:${server.address().port}/v1`, abortedAt: () => abortedAt, stop };
}

/** @returns {Promise<boolean>} whether readers saw what they should */
export async function demoAi(system, model) {
  const { rivulet } = createRequire(import.meta.url)('@rivulet/client');
  const client = rivulet({ url: system.urls.proxy, token: system.apiKey });
  const ask = async (host, input) => {
    for (const startedAt = performance.now(); ; await elapse(100)) {
      const response = await fetch(`${host}/v1/plugins/ai-chat/requests`, {
        method: 'POST', body: JSON.stringify({ channel: 'demo', input }),
        headers: { authorization: `Bearer ${system.apiKey}`, 'content-type': 'application/json' },
      });
      const answer = await response.json();
      if (response.status === 202) return answer.streamNo;
      if (performance.now() - startedAt > HOLD_MS_MAX) throw new Error(answer.detail);
    }
  };
  const [first] = system.instances.plugins;
  console.log('\n? What is a stream?   (the host that answers is killed in the middle)\n');
  const streamNo = await ask(first.url, 'What is a stream?');
  let text = '';
  let isKilled = false;
  for await (const event of client.watch(streamNo)) {
    if (event.type === 'lost') process.stdout.write('\n  [lost: its host is gone]\n');
    if (event.type === 'rewind') process.stdout.write('  [rewind: another host begins anew]\n');
    if (event.type === 'rewind') text = '';
    if (event.type !== 'fragment' || event.lane) continue;
    text += event.text;
    process.stdout.write(event.text);
    if (isKilled || text.length < 60) continue;
    isKilled = true;
    await system.kill('plugins', 'SIGKILL', 0);
    process.stdout.write('\n  [kill -9]\n');
  }
  const { status, epoch } = await client.state(streamNo);
  const isWhole = status === 'ended' && (model === null || text === ANSWER);
  console.log(`\n\n${status}, attempt ${epoch}${model ? `, the text is ${text === ANSWER ? '' : 'NOT '}what an undisturbed run says` : ''}`);

  console.log('\n? And what ends it?   (cancelled)\n');
  const second = await ask(system.urls.proxy, 'And what ends it?');
  let cancelledAt = 0;
  for await (const event of client.watch(second)) {
    if (event.type !== 'fragment' || event.lane) continue;
    process.stdout.write(event.text);
    if (cancelledAt === 0) await client.cancel(second, 'demo');
    cancelledAt ||= performance.now();
  }
  await elapse(200);
  const heardMs = model ? Math.round(model.abortedAt() - cancelledAt) : null;
  console.log(`\n\n${(await client.state(second)).status}${heardMs === null ? '' : `, the model's call was broken off ${heardMs < 0 ? 'before the verdict was answered' : `${heardMs} ms later`}`}`);
  return isWhole;
}
