import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { rivulet } from '@rivulet/client';
import { startRivulet } from '@rivulet/standalone';
import type { RunningRivulet } from '@rivulet/standalone';
import { CliProcess, printed, runCli } from '../../../test/support/cli-process';
import { eventually } from '../../../test/support/eventually';

const VIEWER = 'rk_viewer_of-all-streams';
const folder = mkdtempSync(path.join(os.tmpdir(), 'rivulet-cli-'));
let running: RunningRivulet;
let env: NodeJS.ProcessEnv;
beforeAll(async () => {
  running = await startRivulet({ env: { RIVULET_API_KEYS: `viewer:viewer:${createHash('sha256').update(VIEWER).digest('hex')}` } });
  env = { RIVULET_URL: running.url, RIVULET_TOKEN: running.apiKey };
});
afterAll(async () => {
  await running.stop();
  rmSync(folder, { recursive: true });
});

const cli = (...args: string[]) => runCli(args, { env });
const NO = /^([0-9a-z]{32})\n/;
/** A stream that is open, with some text, and its producer. */
async function opened(...texts: string[]) {
  const producer = await rivulet({ url: running.url, token: running.apiKey }).open({ channel: 'open' });
  for (const text of texts) await producer.write(text);
  await producer.flush();
  return producer;
}
async function piped(text: string, ...args: string[]): Promise<string> {
  const { stderr } = await runCli(['pipe', ...args], { env, input: text });
  return NO.exec(stderr)![1]!;
}

test('what is piped in can be followed while it comes: streamNo at once, the verdict at the end, the same bytes', async () => {
  const pipe = new CliProcess(['pipe', '--channel', 'live'], { env });
  pipe.child.stdin!.write('红楼梦 ');
  const streamNo = await eventually(() => NO.exec(pipe.stderr)![1]!);
  const tail = new CliProcess(['tail', '-f', streamNo], { env });
  await eventually(() => expect(tail.stdout).toBe('红楼梦 '));
  // Cut in the middle of a character: the next read has the rest.
  const rest = Buffer.from('🌊 ends');
  pipe.child.stdin!.write(rest.subarray(0, 2));
  pipe.child.stdin!.end(rest.subarray(2));
  expect(await pipe.end).toMatchObject({ code: 0, stdout: '', stderr: expect.stringMatching(/\nended: \d fragments, 19 bytes, CRC-32 [0-9a-f]{8}\n$/) });
  expect(await tail.end).toMatchObject({ code: 0, stdout: '红楼梦 🌊 ends', stderr: '' });
});

test('Ctrl-C aborts the stream that is piped, and who follows it learns that it failed', async () => {
  const pipe = new CliProcess(['pipe', '--json'], { env });
  pipe.child.stdin!.write('half a ');
  const streamNo = await eventually(() => (JSON.parse(pipe.stdout) as { streamNo: string }).streamNo);
  const tail = new CliProcess(['tail', '-f', streamNo], { env });
  await eventually(() => expect(tail.stdout).toBe('half a '));
  pipe.child.kill('SIGINT');
  expect((await pipe.end).code).toBe(130);
  expect(await tail.end).toMatchObject({ code: 1, stdout: 'half a ', stderr: expect.stringContaining('failed (PIPE_INTERRUPTED)') });
});

test('an input that is not UTF-8 fails its stream, and as bytes it passes', async () => {
  const bytes = Buffer.from([0x61, 0xff, 0xfe]);
  expect(await runCli(['pipe'], { env, input: bytes })).toMatchObject({ code: 1, stderr: expect.stringContaining('UTF8_INVALID') });
  const { code, stderr } = await runCli(['pipe', '--content-type', 'application/octet-stream'], { env, input: bytes });
  expect(code).toBe(0);
  expect((await cli('tail', NO.exec(stderr)![1]!)).bytes).toEqual(bytes);
});

test('a pipe learns that its stream was cancelled, though its input is silent', async () => {
  const pipe = new CliProcess(['pipe'], { env });
  pipe.child.stdin!.write('x');
  const streamNo = await eventually(() => NO.exec(pipe.stderr)![1]!);
  await eventually(async () => expect((await cli('tail', streamNo)).stdout).toBe('x'));
  expect((await cli('cancel', streamNo, '--reason', 'enough')).code).toBe(0);
  expect(await pipe.end).toMatchObject({ code: 1, stderr: expect.stringContaining('STREAM_FINAL') });
  expect((await cli('cancel', streamNo, '--reason', 'other')).code).toBe(1);
});

test('tail without -f shows what is there of an open stream and ends; --from goes on behind a cursor; --events says all', async () => {
  const { streamNo } = await opened('one ', 'two ', 'three ');
  expect(await cli('tail', streamNo)).toMatchObject({ code: 0, stdout: 'one two three ' });
  expect(await cli('tail', '--from', '1.2', streamNo)).toMatchObject({ code: 0, stdout: 'three ' });
  expect(await cli('tail', '--from', '1.3', streamNo)).toMatchObject({ code: 0, stdout: '' });
  const events = (await cli('tail', '--events', streamNo)).stdout.trim().split('\n').map((line) => JSON.parse(line) as { type: string; cursor?: string });
  expect([events[0]?.type, events.at(-1)?.type, events.at(-1)?.cursor]).toEqual(['stream', 'fragment', '1.3']);
});

test('a session goes on after what it showed the last time, in another process, and inspect says what it has', async () => {
  const producer = await opened('one ', 'two ');
  const { streamNo } = producer;
  const session = ['--session', 'archive', streamNo];
  expect(await cli('tail', ...session)).toMatchObject({ code: 0, stdout: 'one two ' });
  expect(await cli('tail', ...session)).toMatchObject({ code: 0, stdout: '' });
  await producer.write('three ');
  await producer.end();
  expect(await cli('tail', '-f', ...session)).toMatchObject({ code: 0, stdout: 'three ' });
  expect(await cli('tail', '-f', ...session)).toMatchObject({ code: 0, stdout: '' });
  expect((await cli('inspect', streamNo)).stdout).toMatch(/^confirmed +archive: everything, 20/m);
  expect((await cli('tail', '--session', 'archive', '--channel', 'x')).code).toBe(2);
});

test('a channel is followed with the name of each stream before its content, until Ctrl-C', async () => {
  const first = await piped('first', '--channel', 'feed');
  const tail = new CliProcess(['tail', '--channel', 'feed'], { env });
  await eventually(() => expect(tail.stdout).toBe(`==> ${first} <==\nfirst`));
  const second = await piped('second', '--channel', 'feed');
  await eventually(() => expect(tail.stdout).toBe(`==> ${first} <==\nfirst\n==> ${second} <==\nsecond`));
  tail.child.kill('SIGINT');
  expect((await tail.end).code).toBe(130);
});

test('a file that is sent and got back is the same, whatever an earlier try left there', async () => {
  const content = randomBytes(3_000_000);
  const file = path.join(folder, 'sent.bin');
  writeFileSync(file, content);
  const { code, stderr } = await cli('send', file);
  expect([code, stderr]).toEqual([0, expect.stringMatching(/ended: \d+ fragments, 3000000 bytes/)]);
  const streamNo = NO.exec(stderr)![1]!;
  const got = path.join(folder, 'got.bin');
  for (const earlier of [content.subarray(0, 1_234_567), Buffer.alloc(100)]) {
    writeFileSync(`${got}.part`, earlier);
    expect(await cli('get', streamNo, '-o', got)).toMatchObject({ code: 0, stderr: expect.stringContaining('SHA-256 as it was sealed') });
    expect(readFileSync(got).equals(content)).toBe(true);
    expect(existsSync(`${got}.part`)).toBe(false);
  }
});

test('sending is interrupted and goes on in another process, while somebody already gets the file', async () => {
  const content = randomBytes(24_000_000);
  const file = path.join(folder, 'long.bin');
  const got = path.join(folder, 'long-got.bin');
  writeFileSync(file, content);
  const first = new CliProcess(['send', file], { env });
  const streamNo = await eventually(() => NO.exec(first.stderr)![1]!);
  first.child.kill('SIGINT');
  expect(await first.end).toMatchObject({ code: 130, stderr: expect.stringContaining(`--resume ${streamNo}`) });
  const getting = new CliProcess(['get', streamNo, '-o', got], { env });
  await eventually(() => expect(existsSync(`${got}.part`)).toBe(true));
  expect(await cli('send', file, '--resume', streamNo)).toMatchObject({ code: 0, stderr: expect.stringContaining('24000000 bytes') });
  expect((await getting.end).code).toBe(0);
  expect(readFileSync(got).equals(content)).toBe(true);
  writeFileSync(file, randomBytes(24_000_000));
  expect(await cli('send', file, '--resume', streamNo)).toMatchObject({ code: 1, stderr: expect.stringContaining('CHECKSUM_MISMATCH') });
});

test('a stream that was given up is no file', async () => {
  const producer = await opened('half');
  await producer.abort('MODEL_FAILED');
  expect(await cli('get', producer.streamNo, '-o', path.join(folder, 'none'))).toMatchObject({ code: 1, stderr: expect.stringContaining('STREAM_FINAL') });
});

test('streams are listed and inspected, for people and as JSON', async () => {
  const streamNo = await piped('listed', '--channel', 'list');
  await eventually(async () => expect((await cli('ls', '--channel', 'list')).stdout).toMatch(new RegExp(`STREAMNO.*\n${streamNo}  ended   1 `)));
  const [row] = (await cli('ls', '--channel', 'list', '--json')).stdout.trim().split('\n');
  expect(JSON.parse(row!)).toMatchObject({ streamNo, status: 'ended', sequence: 1 });
  expect((await cli('ls', '--status', 'lost', '--channel', 'list')).stderr).toBe('no streams\n');
  expect((await cli('inspect', streamNo)).stdout).toMatch(/status +ended[\s\S]*SHA-256[\s\S]*opened at +offset[\s\S]*attempt +1[\s\S]*verdict +end at offset/);
  expect(JSON.parse((await cli('inspect', '--json', streamNo)).stdout)).toMatchObject({ streamNo, partition: expect.any(Number) });
});

test('the exit code says what it was: usage 2, not reachable 3, not allowed 4, everything else 1', async () => {
  const { streamNo } = await opened('x');
  const away = { env: { ...env, RIVULET_URL: 'http://127.0.0.1:9' } };
  const codes = await Promise.all([
    cli('nonsense'), cli('tail'), cli('pipe', '--interval', 'soon'), cli('verify', streamNo), cli('ls', '--status', 'no-such'),
    runCli(['tail', '-f', streamNo], away), runCli(['cancel', streamNo], { env: { ...env, RIVULET_TOKEN: VIEWER } }),
    runCli(['ls'], { env: { ...env, RIVULET_TOKEN: '' } }), cli('tail', 'made-up'), cli('--help'),
  ]);
  expect(codes.map(({ code }) => code)).toEqual([2, 2, 2, 2, 2, 3, 4, 4, 1, 0]);
});

test('whoever stops reading is no error: nothing is said, and the process ends', async () => {
  const streamNo = await piped('line\n'.repeat(200_000));
  const command = `node ${path.resolve(__dirname, '../bin/rivulet.js')} tail -f ${streamNo} | head -c 10; echo "\${PIPESTATUS[0]}"`;
  const { stdout, stderr } = await promisify(execFile)('bash', ['--norc', '-c', command], { env: { PATH: process.env['PATH'], ...env } });
  expect([stdout, stderr]).toEqual(['line\nline\n0\n', '']);
});

test('in a checkout after npm start no flag is needed, and its key is shown to no other installation', async () => {
  const checkout = path.join(folder, 'checkout');
  const inside = path.join(checkout, 'libs', 'client');
  mkdirSync(path.join(checkout, '.rivulet'), { recursive: true });
  mkdirSync(inside, { recursive: true });
  writeFileSync(path.join(checkout, '.rivulet', 'start.json'), JSON.stringify({ pid: 1, url: running.url }));
  writeFileSync(path.join(checkout, '.rivulet', 'dev.env'), `RIVULET_API_KEYS=x\nRIVULET_START_API_KEY=${running.apiKey}\n`);
  expect((await runCli(['ls'], { cwd: inside })).code).toBe(0);
  const other = await startRivulet();
  try {
    expect(await runCli(['ls', '--url', other.url], { cwd: inside })).toMatchObject({ code: 4, stderr: expect.stringContaining('Send `Authorization') });
  } finally {
    await other.stop();
  }
});

test('no secret was printed by any of them', () => {
  expect(printed.length).toBeGreaterThan(20);
  expect(printed.filter((text) => text.includes(running.apiKey) || text.includes(VIEWER))).toEqual([]);
});
