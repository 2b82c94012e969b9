/** A stream is a file: 100 MB through the pipe with curl, read live, late, by Range, and after everything was evicted from memory. */
import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { createReadStream, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { open } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { eventually } from '../support/eventually';
import { startSystem } from '../support/system';
import type { System } from '../support/system';

const BYTES = 100 * 1024 * 1024;
const VIEW_BYTES_MAX = 16 * 1024 * 1024; // one stream takes a quarter of it: late readers must go to the log

let system: System;
let folder: string;
let file: string;
let digest: string;
beforeAll(async () => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'rivulet-pipe-'));
  file = path.join(folder, 'input');
  const hash = createHash('sha256');
  const handle = await open(file, 'w');
  for (let written = 0; written < BYTES; written += 1 << 20) {
    const piece = randomBytes(1 << 20);
    hash.update(piece);
    await handle.write(piece);
  }
  await handle.close();
  digest = hash.digest('hex');
  system = await startSystem({ brokers: process.env['KAFKA_BROKERS'], env: { RIVULET_FANOUT_VIEW_BYTES_MAX: String(VIEW_BYTES_MAX) } });
});
afterAll(async () => {
  await system?.stop();
  rmSync(folder, { recursive: true, force: true });
});

function curl(...args: string[]): { lines: string[]; finished: Promise<number> } {
  const child = spawn('curl', ['--silent', '--show-error', '--no-buffer', '-H', `Authorization: Bearer ${system.apiKey}`, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  const lines: string[] = [];
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (piece: string) => {
    const parts = (text + piece).split('\n');
    text = parts.pop()!;
    lines.push(...parts);
  });
  return { lines, finished: new Promise((resolve) => child.once('close', (code) => resolve(code ?? -1))) };
}

async function digestOfFile(name: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const piece of createReadStream(path.join(folder, name))) hash.update(piece as Buffer);
  return hash.digest('hex');
}

/** Resident memory of fanout, bytes. */
function fanoutBytes(): number {
  return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${system.pid('fanout')}/status`, 'utf8'))![1]) * 1024;
}

test('100 MB through the pipe has the same SHA-256 live, late, from the log and by Range, with memory flat', async () => {
  const before = fanoutBytes();
  const pipe = curl('-T', file, '-H', 'Content-Type: application/octet-stream', `${system.urls.ingest}/v1/pipe?contentType=application/octet-stream`);
  const { streamNo } = await eventually(() => JSON.parse(pipe.lines[0]!) as { streamNo: string });
  const content = `${system.urls.fanout}/v1/watch/${streamNo}/content`;
  const live = curl('-o', path.join(folder, 'live'), `${content}?live`);
  expect(await pipe.finished).toBe(0);
  expect(JSON.parse(pipe.lines.at(-1)!)).toMatchObject({ status: 'ended', bytes: BYTES });
  expect(await live.finished).toBe(0);
  expect(await digestOfFile('live')).toBe(digest);

  expect(await curl('-o', path.join(folder, 'late'), content).finished).toBe(0);
  expect(await digestOfFile('late')).toBe(digest);

  // A restart leaves nothing in memory: every byte comes from the log.
  await system.kill('fanout', 'SIGKILL');
  await system.restart('fanout');
  expect(await curl('-o', path.join(folder, 'cold'), content).finished).toBe(0);
  expect(await digestOfFile('cold')).toBe(digest);
  expect(await curl('-r', `${BYTES / 2}-`, '-o', path.join(folder, 'half'), content).finished).toBe(0);
  expect(readFileSync(path.join(folder, 'half')).equals(readFileSync(file).subarray(BYTES / 2))).toBe(true);
  const metrics = await (await fetch(`${system.urls.fanout}/metrics`)).text();
  expect(Number(/^rivulet_cold_scanned_bytes_total\S* (\d+)/m.exec(metrics)![1])).toBeGreaterThan(BYTES);
  expect(fanoutBytes() - before).toBeLessThan(200 * 1024 * 1024);
});
