// `npm run demo`: two real texts as paced answers to five sessions each, while ingest and fanout are each killed and started again.
// Prints what each session saw; exit code 1 when one saw anything else than what was sent. `npm run demo -- ai`: demo-ai.mjs.
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { setTimeout as elapse } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { demoAi, startModel } from './demo-ai.mjs';
import { ROOT, prepare, step } from './prepare.mjs';
import { singleStart } from './single-start.mjs';
import { THREE_WAYS, findKafka } from './start-kafka.mjs';

const { values: options, positionals } = parseArgs({ allowPositionals: true, options: {
  seconds: { type: 'string', default: '30' },
  interval: { type: 'string', default: '150' },
  'base-url': { type: 'string' },
  model: { type: 'string', default: 'demo' },
  help: { type: 'boolean', default: false },
} });
if (options.help) {
  console.log(`npm run demo [-- --seconds=30 --interval=150]
  --seconds   how long each text takes to be written
  --interval  pace of the answer, ms (100 to 300 reads well)
npm run demo -- ai [--base-url=https://…/v1 --model=NAME]   an AI dialogue; the key is OPENAI_API_KEY. Without --base-url a stand-in answers`);
  process.exit(0);
}

const isAi = positionals[0] === 'ai';
const ANSWER_MS = Number(options.seconds) * 1000;
const INTERVAL_MS = Number(options.interval);
/** Its own topics, the same each time: a demo leaves nothing more behind in a Kafka that is not ours. */
const TOPIC_PREFIX = 'rivulet-demo';
const DROP_MS = 2000;
const SLOW_MS = 400;
const GIVE_UP_MS = ANSWER_MS + 120_000;
const TEXTS = ['alice.txt', 'daodejing.txt'];
/** Part of the answer after which an app is killed. */
const KILLS = [['ingest', 0.3], ['fanout', 0.6]];

const sha256 = (text) => createHash('sha256').update(text).digest('hex');

/** Cuts a text the way it will be written: so many characters a tick that the whole takes ANSWER_MS. */
function piecesOf(text) {
  const characters = [...text];
  const perPiece = Math.ceil((characters.length * INTERVAL_MS) / ANSWER_MS);
  const pieces = [];
  for (let at = 0; at < characters.length; at += perPiece) pieces.push(characters.slice(at, at + perPiece).join(''));
  return pieces;
}

/** What one session has seen so far. */
class Session {
  constructor(name) {
    this.name = name;
    this.text = '';
    this.events = 0;
    this.connections = 0;
    this.final = null;
    this.fault = '';
  }

  take(event) {
    if (event.type === 'stream') this.connections += 1;
    if (event.type === 'fragment') this.events += 1;
    if (event.type === 'fragment') this.text += event.text;
    if (event.type === 'rewind') this.text = '';
    if (event.type === 'final') this.final = event;
    if (event.cursor) this.cursor = event.cursor;
  }

  async run(watching, pauseMs = 0) {
    for await (const event of watching) {
      this.take(event);
      if (pauseMs > 0) await elapse(pauseMs);
    }
  }
}

/** Drops its connection every 2 s and comes back with its cursor, as a phone in a tunnel does. */
async function runDropping(session, client, streamNo, deadline) {
  while (session.final === null) {
    const drop = new AbortController();
    const timer = setTimeout(() => drop.abort(new Error('dropped')), DROP_MS);
    try {
      await session.run(client.watch(streamNo, { from: session.cursor, signal: AbortSignal.any([drop.signal, deadline]) }));
    } catch (error) {
      if (!drop.signal.aborted || deadline.aborted) throw error;
    } finally {
      clearTimeout(timer);
    }
  }
}

/** @returns {{ session: Session, finished: Promise<void> }[]} */
function startSessions(client, streamNo) {
  const deadline = AbortSignal.timeout(GIVE_UP_MS);
  const start = (name, run) => {
    const session = new Session(name);
    const finished = run(session).catch((error) => { session.fault = error.message; });
    return { session, finished };
  };
  const watch = (more) => client.watch(streamNo, { signal: deadline, ...more });
  return [
    start('live, SSE', (session) => session.run(watch({ transport: 'sse' }))),
    start('live, WebSocket', (session) => session.run(watch({ transport: 'ws' }))),
    start('joins late', async (session) => {
      await elapse(ANSWER_MS / 2);
      await session.run(watch({ transport: 'sse' }));
    }),
    start('drops every 2 s', (session) => runDropping(session, client, streamNo, deadline)),
    start('slow', (session) => session.run(watch({ transport: 'ws', window: 8 }), SLOW_MS)),
  ];
}

/** Writes a text at its pace. @returns {Promise<object>} the verdict */
async function produce(producer, pieces, progress) {
  for (const [index, piece] of pieces.entries()) {
    await producer.write(piece);
    progress.part = (index + 1) / pieces.length;
    await elapse(INTERVAL_MS);
  }
  return producer.end();
}

async function killAndRestart(system, progress, note) {
  for (const [app, part] of KILLS) {
    while (progress.part < part) await elapse(50);
    await system.kill(app, 'SIGKILL');
    const killedAt = performance.now();
    note(`kill -9 ${app}`);
    await system.restart(app);
    note(`${app} is back after ${((performance.now() - killedAt) / 1000).toFixed(1)} s`);
  }
}

/** @returns {boolean} whether every session saw what was sent */
function report({ file, text, streamNo, verdict, sessions }) {
  const expected = sha256(text);
  const bytes = Buffer.byteLength(text);
  console.log(`\n${file}: ${[...text].length} characters, ${bytes} bytes, SHA-256 ${expected}`);
  console.log(`stream ${streamNo}: ${verdict.status}, ${verdict.sequence} fragments, ${verdict.bytes} bytes`);
  console.log(`  ${'session'.padEnd(17)}${'connections'.padStart(12)}${'events'.padStart(8)}${'bytes'.padStart(8)}  SHA-256 of what it saw`);
  let isRight = verdict.status === 'ended' && verdict.bytes === bytes;
  for (const { session } of sessions) {
    const seen = sha256(session.text);
    const isSame = seen === expected && session.final?.status === 'ended';
    isRight &&= isSame;
    const numbers = [[session.connections, 12], [session.events, 8], [Buffer.byteLength(session.text), 8]];
    const cells = numbers.map(([number, width]) => String(number).padStart(width)).join('');
    console.log(`  ${session.name.padEnd(17)}${cells}  ${seen}  ${isSame ? 'OK' : `FAIL ${session.fault}`}`);
  }
  return isRight;
}

async function stream(client, file) {
  const text = fs.readFileSync(path.join(ROOT, 'demo', file), 'utf8');
  const producer = await client.open({ channel: 'demo', metadata: { file } });
  const sessions = startSessions(client, producer.streamNo);
  const progress = { part: 0 };
  const finished = (async () => {
    const verdict = await produce(producer, piecesOf(text), progress);
    await Promise.all(sessions.map((session) => session.finished));
    return { file, text, streamNo: producer.streamNo, verdict, sessions };
  })();
  return { file, progress, sessions, finished };
}

async function demo(system) {
  const { rivulet } = createRequire(import.meta.url)('@rivulet/client');
  const client = rivulet({ url: system.urls.proxy, token: system.apiKey });
  const startedAt = performance.now();
  const note = (text) => console.log(`${((performance.now() - startedAt) / 1000).toFixed(1).padStart(6)} s  ${text}`);
  const streams = await Promise.all(TEXTS.map((file) => stream(client, file)));
  note(`${TEXTS.length} texts, ${TEXTS.length * 5} sessions, a fragment every ${INTERVAL_MS} ms`);
  const timer = setInterval(() => {
    for (const { file, progress, sessions } of streams) {
      const [{ session }] = sessions;
      note(`${file.padEnd(14)}${String(Math.round(progress.part * 100)).padStart(4)} %  …${session.text.slice(-48).replace(/\s+/g, ' ')}`);
    }
  }, 3000);
  try {
    await killAndRestart(system, streams[0].progress, note);
    const results = await Promise.all(streams.map(({ finished }) => finished));
    return results.map(report).every(Boolean);
  } finally {
    clearInterval(timer);
  }
}

await prepare();
// The Kafka of this checkout has one user at a time: with `npm start` running, the demo would wait for its data in vain.
const single = singleStart(path.join(ROOT, '.rivulet', 'start.json'));
if (!process.env.KAFKA_BROKERS) {
  await single.acquire().catch((error) => {
    console.error(`${error.message}\nOr run the demo on the Kafka that is there: KAFKA_BROKERS=127.0.0.1:9092 npm run demo`);
    process.exit(1);
  });
}
const kafka = await findKafka(path.join(ROOT, '.rivulet', 'logs', 'demo-kafka.log'));
if (kafka === null) {
  console.error(`The demo kills services and starts them again, so it needs a real Kafka. Three ways to one:\n${THREE_WAYS}`);
  process.exit(1);
}
console.log(`Kafka: ${kafka.what}`);
const { startSystem } = createRequire(import.meta.url)('./system.cjs');
/** Two plugin hosts, with the endpoint they ask. */
async function aiSystem() {
  const { 'base-url': given, model } = options;
  const standIn = given === undefined ? await startModel() : null;
  const config = { 'ai-chat': { baseUrl: given ?? standIn.url, model, apiKey: process.env.OPENAI_API_KEY ?? 'none' } };
  const env = { RIVULET_PLUGINS_SHIPPED: 'ai-chat', RIVULET_PLUGINS_CONFIG: JSON.stringify(config) };
  return { standIn, more: { counts: { plugins: 2 }, env } };
}

const ai = isAi ? await aiSystem() : null;
let system;
try {
  system = await step(`Starting allocator, ingest, fanout${isAi ? ', two plugin hosts' : ''} and the proxy`,
    () => startSystem({ brokers: kafka.brokers, proxy: true, prefix: TOPIC_PREFIX, ...ai?.more }));
  const isRight = ai ? await demoAi(system, ai.standIn) : await demo(system);
  console.log(isRight ? '\nOK: every reader saw exactly what was sent.' : '\nFAIL: see above.');
  process.exitCode = isRight ? 0 : 1;
} finally {
  ai?.standIn?.stop();
  await system?.stop();
  await kafka.stop();
  single.release();
}
