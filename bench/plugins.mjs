// The plugin host: what it adds to a fragment, 200 answers at once, a kill -9 in the middle of one, a cancel until the model hears of it,
// and a package from its installation until every host runs it.
import { fork } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { pack } from 'tar-stream';
import { quantiles, row } from './report.mjs';
import { elapse } from './streams.mjs';

const require = createRequire(import.meta.url);
const { rivulet } = require('@rivulet/client');
const { startSystem } = require('../tools/system.cjs');
const LEASE_MS = 5_000;
const ANSWERS = 200;
const HOLD_MS_MAX = 60_000;
const HOSTS = 3;
/** Of the package that is installed: it goes through the log in two parts. */
const PACKAGE_BYTES = 900_000;

/** `clock` writes its time, every write a fragment; `talk` is paced as an answer is read. */
const PLUGINS = {
  clock: `pace: { intervalMs: 0 }, hooks: { async receive(ctx, { input }, stream) {
    for (let written = 0; written < input.count; written += 1) { await pause(input.pauseMs); await stream.write((performance.timeOrigin + performance.now()) + '\\n'); }
  } }`,
  talk: `pace: { intervalMs: 100 }, limits: { concurrency: 256 }, hooks: { async receive(ctx, { input }, stream) {
    for (let written = 0; written < input.count; written += 1) { await stream.write('word ' + written + ', '); await pause(input.pauseMs); }
  } }`,
};
const talked = (count) => Array.from({ length: count }, (_, written) => `word ${written}, `).join('');

/** The source of a plugin. */
const sourceOf = (name, body) => `const { definePlugin } = require('@rivulet/plugin-sdk'); const { z } = require('zod');
  const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
  module.exports = definePlugin({ name: '${name}', version: '1.0.0', api: 1, config: z.object({}), ${body} });`;
const manifestOf = (name) => JSON.stringify({ name, version: '1.0.0', main: 'index.js' });

function pluginFolder() {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'rivulet-bench-plugins-'));
  chmodSync(folder, 0o755);
  for (const [name, body] of Object.entries(PLUGINS)) {
    mkdirSync(path.join(folder, name));
    writeFileSync(path.join(folder, name, 'package.json'), manifestOf(name));
    writeFileSync(path.join(folder, name, 'index.js'), sourceOf(name, body));
  }
  return folder;
}

/** A model that says one word and then thinks for as long as it is let. */
async function startModel() {
  const calls = [];
  const server = createServer((request, response) => {
    const call = { abortedAt: null };
    calls.push(call);
    request.resume();
    response.on('close', () => { call.abortedAt = performance.now(); });
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write(`data: ${JSON.stringify({ id: 'bench', object: 'chat.completion.chunk', created: 1, model: 'bench', choices: [{ index: 0, delta: { content: 'Well' }, finish_reason: null }] })}\n\n`);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { url: `http://127.0.0.1:${server.address().port}/v1`, calls, stop: () => { server.closeAllConnections(); server.close(); } };
}

async function until(isTrue, what) {
  for (const startedAt = performance.now(); !isTrue(); await elapse(2)) if (performance.now() - startedAt > HOLD_MS_MAX) throw new Error(`plugins: ${what} did not come`);
}

/** Asks a host; one whose plugin is still being started is asked again. */
async function ask(system, index, plugin, input) {
  for (const startedAt = performance.now(); ; await elapse(100)) {
    const response = await fetch(`${system.instances.plugins[index].url}/v1/plugins/${plugin}/requests`, {
      method: 'POST', body: JSON.stringify({ input }), headers: { authorization: `Bearer ${system.apiKey}`, 'content-type': 'application/json' },
    });
    const answer = await response.json();
    if (response.status === 202) return answer.streamNo;
    if (performance.now() - startedAt > HOLD_MS_MAX) throw new Error(`plugins: ${answer.code} ${answer.detail}`);
  }
}

const reader = (system) => rivulet({ url: system.urls.fanout, token: system.apiKey });

/** @returns {Promise<number[]>} ms from each write to its reader */
async function latencies(system, streamNo) {
  const found = [];
  for await (const event of reader(system).watch(streamNo)) {
    if (event.type !== 'fragment') continue;
    const now = performance.timeOrigin + performance.now();
    for (const at of event.text.split('\n')) if (at !== '') found.push(now - Number(at));
  }
  return found;
}

/** The same writes through the host and through the SDK alone, in turns: both see what else the machine does. */
async function overhead(system, isQuick) {
  const input = { count: isQuick ? 200 : 500, pauseMs: 10 };
  const peer = fork(new URL('./plugin-peer.mjs', import.meta.url));
  const direct = async () => {
    const opened = new Promise((resolve) => peer.once('message', ({ streamNo }) => resolve(streamNo)));
    peer.send({ url: system.urls.ingest, token: system.apiKey, input });
    return latencies(system, await opened);
  };
  const hosted = async () => latencies(system, await ask(system, 0, 'clock', input));
  try {
    // Each warms up once.
    await hosted();
    await direct();
    const found = { hosted: [], direct: [] };
    for (let round = 0; round < (isQuick ? 3 : 10); round += 1) {
      found.hosted.push(...await hosted());
      found.direct.push(...await direct());
    }
    return { hosted: quantiles(found.hosted), direct: quantiles(found.direct) };
  } finally {
    peer.disconnect();
  }
}

async function manyAnswers(system) {
  const input = { count: 40, pauseMs: 25 };
  const startedAt = performance.now();
  let fragments = 0;
  const whole = await Promise.all(Array.from({ length: ANSWERS }, async () => {
    const streamNo = await ask(system, 0, 'talk', input);
    let text = '';
    for await (const event of reader(system).watch(streamNo)) {
      if (event.type === 'rewind') text = '';
      if (event.type === 'fragment') text += event.text;
      if (event.type === 'final') fragments += event.sequence;
    }
    return text === talked(input.count);
  }));
  return { whole: whole.filter(Boolean).length, fragments, seconds: (performance.now() - startedAt) / 1000 };
}

/** @returns the longest pause of the reader, and whether it saw what an undisturbed run says */
async function hostKilled(system) {
  const input = { count: 200, pauseMs: 25 };
  const streamNo = await ask(system, 0, 'talk', input);
  const seen = { text: '', at: performance.now(), pauseMs: 0, isKilled: false };
  for await (const event of reader(system).watch(streamNo)) {
    if (event.type === 'rewind') seen.text = '';
    if (event.type !== 'fragment') continue;
    const now = performance.now();
    if (seen.isKilled) seen.pauseMs = Math.max(seen.pauseMs, now - seen.at);
    seen.at = now;
    seen.text += event.text;
    if (seen.isKilled || seen.text.length < 200) continue;
    seen.isKilled = true;
    await system.kill('plugins', 'SIGKILL', 0);
  }
  await system.restart('plugins', 0);
  return { pauseMs: seen.pauseMs, isWhole: seen.text === talked(input.count) };
}

async function cancelled(system, model, isQuick) {
  const client = rivulet({ url: system.urls.proxy, token: system.apiKey });
  const found = [];
  for (let round = 0; round < (isQuick ? 5 : 20); round += 1) {
    const before = model.calls.length;
    const streamNo = await ask(system, 0, 'ai-chat', 'Well?');
    for await (const event of reader(system).watch(streamNo)) if (event.type === 'fragment') break;
    await until(() => model.calls.length > before, 'the call of the model');
    const cancelledAt = performance.now();
    await client.cancel(streamNo, 'bench');
    await until(() => model.calls.at(-1).abortedAt !== null, 'the end of the call');
    found.push(model.calls.at(-1).abortedAt - cancelledAt);
  }
  return quantiles(found);
}

/** @returns {Promise<Buffer>} a plugin as `npm pack` packs it, with something that does not compress */
async function packed(name) {
  const tar = pack();
  tar.entry({ name: 'package/package.json' }, manifestOf(name));
  tar.entry({ name: 'package/index.js' }, sourceOf(name, PLUGINS.talk));
  tar.entry({ name: 'package/data' }, randomBytes(PACKAGE_BYTES));
  tar.finalize();
  const parts = [];
  for await (const part of tar) parts.push(part);
  return gzipSync(Buffer.concat(parts));
}

/** @returns {Promise<number>} ms from the installation of a plugin at one host until every host says that it runs */
async function converged(system) {
  const tgz = await packed('newcomer');
  const call = (at, init) => fetch(`${system.instances.plugins[0].url}/v1/admin/plugins${at}`, { ...init, headers: { authorization: `Bearer ${system.apiKey}`, 'content-type': 'application/gzip' } });
  const startedAt = performance.now();
  const installed = await call('/packages', { method: 'POST', body: tgz });
  if (installed.status !== 202) throw new Error(`plugins: ${await installed.text()}`);
  for (;;) {
    const rows = (await (await call('')).json()).filter(({ plugin }) => plugin === 'newcomer');
    if (rows.filter(({ state }) => state === 'running').length === HOSTS) return performance.now() - startedAt;
    if (performance.now() - startedAt > HOLD_MS_MAX) throw new Error(`plugins: ${JSON.stringify(rows)}`);
    await elapse(50);
  }
}

export async function plugins({ brokers, isQuick }) {
  const folder = pluginFolder();
  const store = mkdtempSync(path.join(os.tmpdir(), 'rivulet-bench-store-'));
  chmodSync(store, 0o755);
  const model = await startModel();
  let system = null;
  try {
    system = await startSystem({
      brokers, counts: { plugins: HOSTS }, proxy: true,
      env: {
        RIVULET_PLUGINS_DIR: folder, RIVULET_PLUGINS_STORE_DIR: store, RIVULET_PLUGINS_SHIPPED: 'ai-chat', RIVULET_PLUGINS_LEASE_MS: String(LEASE_MS),
        RIVULET_PLUGINS_CONFIG: JSON.stringify({ 'ai-chat': { baseUrl: model.url, model: 'bench', stallMsMax: 60_000 } }),
      },
    });
    const { hosted, direct } = await overhead(system, isQuick);
    const many = await manyAnswers(system);
    const convergeMs = await converged(system);
    const cancel = await cancelled(system, model, isQuick);
    const kill = await hostKilled(system);
    const added = `${hosted.count} fragments of one answer, write to reader (reference: the SDK without a host)`;
    return [
      ...['p50', 'p99'].map((q) => row(added, q, hosted[q], 'ms', { reference: direct[q], ratio: hosted[q] / direct[q] })),
      row(added, 'added by the host, p50', hosted.p50 - direct.p50, 'ms', { target: '≤ 1 ms', met: hosted.p50 - direct.p50 <= 1 }),
      row(`${ANSWERS} answers at once on one host`, 'whole', many.whole, '', { target: String(ANSWERS), met: many.whole === ANSWERS }),
      row(`${ANSWERS} answers at once on one host`, 'asked until all have ended (reference: what one takes)', many.seconds, 's', { reference: 1 }),
      row(`${ANSWERS} answers at once on one host`, 'paced fragments', many.fragments / many.seconds, '/s'),
      row(`kill -9 of the host mid-answer, lease ${LEASE_MS / 1000} s`, 'pause of its reader', kill.pauseMs / 1000, 's', { target: '≤ lease + 2 s, the text whole', met: kill.isWhole && kill.pauseMs <= LEASE_MS + 2_000 }),
      row('cancel until the call of the model is broken off', 'p50', cancel.p50, 'ms'),
      row('cancel until the call of the model is broken off', 'longest', cancel.max, 'ms', { target: '≤ 1000 ms', met: cancel.max <= 1_000 }),
      row(`a plugin of ${Math.round(PACKAGE_BYTES / 1000)} kB installed at one host until it runs on ${HOSTS}`, 'time', convergeMs / 1000, 's', { target: '≤ 10 s', met: convergeMs <= 10_000 }),
    ];
  } finally {
    await system?.stop();
    model.stop();
    for (const one of [folder, store]) rmSync(one, { recursive: true, force: true });
  }
}
