import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { startRivulet } from '@rivulet/standalone';
import type { RunningRivulet } from '@rivulet/standalone';
import { rivulet } from './rivulet';
import type { Rivulet } from './rivulet';
import type { FileProgress } from './send-file';

const ROOT = path.resolve(__dirname, '..', '..', '..');
const MIB = 1024 * 1024;
// Not a multiple of a fragment.
const content = randomBytes(5 * MIB + 12_345);
const sha256 = createHash('sha256').update(content).digest('hex');

let system: RunningRivulet;
let client: Rivulet;
let folder: string;
let source: string;
let target: string;
beforeAll(async () => {
  system = await startRivulet({ env: { RIVULET_LOG_LEVEL: 'error' } });
  client = rivulet({ url: system.url, token: system.apiKey });
});
afterAll(() => system.stop());
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'rivulet-file-'));
  [source, target] = [path.join(folder, 'source.bin'), path.join(folder, 'target.bin')];
  writeFileSync(source, content);
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** A client whose GET bodies break off after so many bytes, and what ranges it asked for. */
function brittleClient(breakAtBytes: number): { client: Rivulet; ranges: string[] } {
  const ranges: string[] = [];
  const brittle: typeof fetch = async (input, init) => {
    const response = await fetch(input, init);
    if (!String(input).includes('/content') || response.body === null) return response;
    ranges.push(new Headers(init?.headers).get('range') ?? '');
    let bytes = 0;
    const cut = new TransformStream<Uint8Array, Uint8Array>({
      transform(chunk, controller) {
        bytes += chunk.length;
        if (bytes > breakAtBytes) controller.error(new TypeError('terminated'));
        else controller.enqueue(chunk);
      },
    });
    return new Response(response.body.pipeThrough(cut), { status: response.status, headers: response.headers });
  };
  return { client: rivulet({ url: system.url, token: system.apiKey, fetch: brittle }), ranges };
}

/** @returns what it said before it was killed */
function killedChild(order: object): Promise<string> {
  const args = ['-r', './test/support/ts-hook.cjs', './test/support/file-child.cjs', JSON.stringify({ url: system.url, apiKey: system.apiKey, ...order })];
  return new Promise((resolve, reject) => {
    execFile(process.execPath, args, { cwd: ROOT, timeout: 120_000, killSignal: 'SIGTERM' }, (error, stdout, stderr) => {
      if (error?.signal === 'SIGKILL') resolve(stdout);
      else reject(new Error(`the child was not killed in the middle: ${stderr}`, { cause: error }));
    });
  });
}

test('a file is sent and received byte for byte, with its name, size and seal, and progress both ways', async () => {
  const sent: FileProgress[] = [];
  const received: FileProgress[] = [];
  const { streamNo, verdict } = await client.sendFile(source, { contentType: 'image/png', metadata: { album: 'a' }, onProgress: (one) => sent.push(one) });
  expect(verdict).toMatchObject({ status: 'ended', bytes: content.length });
  const answer = await client.receiveFile(streamNo, target, { onProgress: (one) => received.push(one) });
  expect(answer).toEqual({
    bytes: content.length, checksum: verdict.checksum, digest: sha256, contentType: 'image/png',
    metadata: { fileName: 'source.bin', sizeBytes: content.length, contentType: 'image/png', album: 'a' },
  });
  expect(readFileSync(target).equals(content)).toBe(true);
  expect(readdirSync(folder).sort()).toEqual(['source.bin', 'target.bin']);
  expect(await client.state(streamNo)).toMatchObject({ class: 'bulk', merge: 'bytes' });
  for (const progress of [sent, received]) {
    expect(progress.map(({ bytes }) => bytes)).toEqual(progress.map(({ bytes }) => bytes).sort((one, other) => one - other));
    expect(progress.at(-1)).toEqual({ bytes: content.length, totalBytes: content.length });
  }
});

test('a Blob is sent, and one is received; a WritableStream is filled and closed', async () => {
  const { streamNo } = await client.sendFile(new File([content], 'from-a-page.bin'), { channel: 'files' });
  const { blob, metadata } = await client.receiveFile(streamNo);
  expect(metadata).toMatchObject({ fileName: 'from-a-page.bin', contentType: 'application/octet-stream' });
  expect(Buffer.from(await blob.arrayBuffer()).equals(content)).toBe(true);
  const parts: Uint8Array[] = [];
  let isClosed = false;
  await client.receiveFile(streamNo, new WritableStream({ write: (part) => void parts.push(part), close: () => void (isClosed = true) }));
  expect(Buffer.concat(parts).equals(content)).toBe(true);
  expect(isClosed).toBe(true);
});

test('an empty file is a file', async () => {
  writeFileSync(source, '');
  const { streamNo } = await client.sendFile(source);
  expect(await client.receiveFile(streamNo, target)).toMatchObject({ bytes: 0 });
  expect(statSync(target).size).toBe(0);
});

test('[APPEND-8] what a killed process had sent is not sent again, and the whole is sealed', async () => {
  const streamNo = await killedChild({ file: source, killAtBytes: 2 * MIB });
  const progress: FileProgress[] = [];
  const { verdict } = await client.sendFile(source, { resume: streamNo, onProgress: (one) => progress.push(one) });
  expect(progress[0]!.bytes).toBeGreaterThanOrEqual(2 * MIB);
  expect(verdict).toMatchObject({ streamNo, status: 'ended', bytes: content.length });
  const { attempts, final } = await client.state(streamNo);
  expect(attempts).toHaveLength(2);
  expect(final).toMatchObject({ digest: sha256 });
  await client.receiveFile(streamNo, target);
  expect(readFileSync(target).equals(content)).toBe(true);
  // Once more: it is there already.
  expect((await client.sendFile(source, { resume: streamNo })).verdict).toEqual(verdict);
});

test('a file that is not the one that was begun is refused, and the stream stays', async () => {
  const streamNo = await killedChild({ file: source, killAtBytes: MIB });
  const other = Buffer.from(content);
  other[1000]! ^= 1;
  writeFileSync(source, other);
  await expect(client.sendFile(source, { resume: streamNo })).rejects.toMatchObject({ code: 'CHECKSUM_MISMATCH' });
  writeFileSync(source, content.subarray(0, 1000));
  await expect(client.sendFile(source, { resume: streamNo })).rejects.toMatchObject({ code: 'CHECKSUM_MISMATCH' });
  writeFileSync(source, content);
  expect((await client.sendFile(source, { resume: streamNo })).verdict.status).toBe('ended');
  writeFileSync(source, other);
  await expect(client.sendFile(source, { resume: streamNo })).rejects.toMatchObject({ code: 'CHECKSUM_MISMATCH' });
});

test('a signal stops sending; the stream is gone on with, or cancelled', async () => {
  let streamNo = '';
  const stop = new AbortController();
  const sending = client.sendFile(source, {
    signal: stop.signal, onOpen: (stream) => (streamNo = stream.streamNo), onProgress: ({ bytes }) => bytes >= MIB && stop.abort(new Error('paused')),
  });
  await expect(sending).rejects.toThrow('paused');
  expect(await client.state(streamNo)).toMatchObject({ status: 'open' });
  expect((await client.sendFile(source, { resume: streamNo })).verdict).toMatchObject({ status: 'ended', bytes: content.length });
});

test('[WATCH-8] a reader who cancels stops the sending', async () => {
  let streamNo = '';
  let cancelling: Promise<unknown> | undefined;
  const sending = client.sendFile(source, {
    inFlightMax: 1,
    onOpen: (stream) => (streamNo = stream.streamNo),
    onProgress: ({ bytes }) => { if (bytes >= MIB) cancelling ??= client.cancel(streamNo); },
  });
  await expect(sending).rejects.toMatchObject({ code: 'STREAM_FINAL' });
  await cancelling;
  await expect(client.receiveFile(streamNo, target)).rejects.toMatchObject({ code: 'STREAM_FINAL', details: { status: 'cancelled' } });
});

test('a killed process goes on receiving after what is on the disk', async () => {
  const { streamNo } = await client.sendFile(source);
  await killedChild({ receive: streamNo, file: target, killAtBytes: 2 * MIB });
  const had = statSync(`${target}.part`).size;
  expect(had).toBeGreaterThanOrEqual(2 * MIB);
  const { client: counting, ranges } = brittleClient(Infinity);
  await counting.receiveFile(streamNo, target);
  expect(ranges).toEqual([`bytes=${had}-`]);
  expect(readFileSync(target).equals(content)).toBe(true);
});

test('[WATCH-1] a file is received while it is sent, through connections that break', async () => {
  const { client: brittle, ranges } = brittleClient(MIB);
  let receiving: Promise<unknown> | undefined;
  await client.sendFile(source, { onOpen: ({ streamNo }) => (receiving = brittle.receiveFile(streamNo, target)) });
  await receiving;
  expect(readFileSync(target).equals(content)).toBe(true);
  expect(ranges.length).toBeGreaterThan(5);
});

test('[JUDGE-7] what is on the disk and wrong is fetched again from the start; wrong twice is an error', async () => {
  const { streamNo } = await client.sendFile(source);
  writeFileSync(`${target}.part`, randomBytes(3 * MIB));
  await client.receiveFile(streamNo, target);
  expect(readFileSync(target).equals(content)).toBe(true);
  writeFileSync(`${target}.part`, randomBytes(9 * MIB));
  await client.receiveFile(streamNo, target);
  expect(readFileSync(target).equals(content)).toBe(true);
  const lying = rivulet({ url: system.url, token: system.apiKey, fetch: async (input, init) => {
    const response = await fetch(input, init);
    return String(input).includes('/content') ? new Response(new Uint8Array(content.length), { status: response.status }) : response;
  } });
  rmSync(target);
  await expect(lying.receiveFile(streamNo, target)).rejects.toMatchObject({ code: 'CHECKSUM_MISMATCH' });
  expect(readdirSync(folder)).not.toContain('target.bin');
});

test('an attempt that starts over makes what was received void', async () => {
  const first = await client.open({ contentType: 'application/octet-stream' });
  await first.write(new Uint8Array(MIB));
  await first.flush();
  let second: Promise<unknown> | undefined;
  await client.receiveFile(first.streamNo, target, { onProgress: ({ bytes }) => {
    if (bytes < MIB) return;
    second ??= client.retry(first.streamNo, { keep: 'none' }).then(async (producer) => {
      await producer.write(content);
      await producer.end();
    });
  } });
  await second;
  expect(readFileSync(target).equals(content)).toBe(true);
});
