import { createHash } from 'node:crypto';
import { createServer, request as httpRequest } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { rivulet } from '@rivulet/client';
import { startRivulet } from '@rivulet/standalone';
import type { RunningRivulet } from '@rivulet/standalone';
import { runCli } from '../../../test/support/cli-process';
import { eventually } from '../../../test/support/eventually';
import { slowdown } from '../../../test/support/slowdown';
import type { Checked } from './check';

const VIEWER = 'rk_viewer_of-all-streams';
const ORIGIN = 'https://app.example.org';
const servers: Server[] = [];
let running: RunningRivulet;
beforeAll(async () => {
  running = await startRivulet({ env: { RIVULET_API_KEYS: `viewer:viewer:${createHash('sha256').update(VIEWER).digest('hex')}`, RIVULET_CORS_ORIGINS: ORIGIN } });
});
afterAll(async () => {
  for (const server of servers) { server.close(); server.closeAllConnections(); }
  await running.stop();
});

interface Report { findings: number; checks: Checked[] }
async function doctor(args: string[] = [], env: NodeJS.ProcessEnv = {}): Promise<{ code: number | null; report: Report; codes: string[] }> {
  const { code, stdout } = await runCli(['doctor', '--json', ...args], { env: { RIVULET_URL: running.url, RIVULET_TOKEN: running.apiKey, ...env } });
  const report = JSON.parse(stdout) as Report;
  return { code, report, codes: report.checks.flatMap(({ findings }) => findings.map((finding) => finding.code)) };
}
const factsOf = ({ report }: { report: Report }, check: string): string => report.checks.find((one) => one.check === check)?.facts.join('; ') ?? '';

/** A real proxy in between, with the fault of the day. @returns its URL */
async function proxyTo(
  target: () => string, alter: (incoming: IncomingMessage, answer: IncomingMessage, outgoing: ServerResponse) => boolean,
): Promise<string> {
  const server = createServer((incoming, outgoing) => {
    const forwarded = httpRequest(target() + incoming.url, { method: incoming.method, headers: { ...incoming.headers } }, (answer) => {
      if (alter(incoming, answer, outgoing)) return;
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(outgoing);
    });
    forwarded.on('error', () => outgoing.destroy());
    outgoing.on('close', () => forwarded.destroy());
    incoming.pipe(forwarded);
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

test('on a healthy installation nothing is found, and exit code 0 says so', async () => {
  const found = await doctor(['--origin', ORIGIN]);
  expect([found.code, found.codes]).toEqual([0, []]);
  expect(factsOf(found, 'token')).toContain('role operator');
  expect(factsOf(found, 'buffering')).toContain('arrive as they are sent');
  expect(factsOf(found, 'websocket')).toContain('pass');
  expect(factsOf(found, 'cors')).toContain(`pages of ${ORIGIN} may call`);
  expect(factsOf(found, 'plugins')).toBe('no plugin host');
  const { stdout, stderr, code } = await runCli(['doctor'], { env: { RIVULET_URL: running.url, RIVULET_TOKEN: running.apiKey } });
  expect([code, stderr]).toEqual([0, 'nothing found\n']);
  expect(stdout).toMatch(/^ok {2}service[\s\S]*^-- {2}cors +not checked: no --origin was given$/m);
});

test('a proxy that holds events back, one that answers upgrades itself, and a clock that is wrong are found; each has one remedy', async () => {
  const behind: { rivulet?: RunningRivulet } = {};
  const url = await proxyTo(() => behind.rivulet!.url, (incoming, answer, outgoing) => {
    answer.headers['date'] = new Date(Date.now() - 3_600_000).toUTCString();
    if (!incoming.url!.endsWith('/events')) return false;
    // As nginx does without proxy_buffering off: everything at once when it is over.
    const parts: Buffer[] = [];
    answer.on('data', (bytes: Buffer) => parts.push(bytes)).on('end', () => outgoing.writeHead(200, answer.headers).end(Buffer.concat(parts)));
    return true;
  });
  behind.rivulet = await startRivulet({ env: { RIVULET_PUBLIC_URL: url } });
  try {
    const { code, codes, report } = await doctor([], { RIVULET_URL: url, RIVULET_TOKEN: behind.rivulet.apiKey });
    expect([code, codes]).toEqual([1, ['CLOCK_SKEW_SERVICE', 'BUFFERING', 'WEBSOCKET_BLOCKED']]);
    const findings = report.checks.flatMap((one) => one.findings);
    for (const { what, remedy } of findings) expect([what.length, remedy.length].every((length) => length > 20)).toBe(true);
    expect(findings[0]!.what).toMatch(/3[56]\d\d\.\d s behind/);
    expect(findings[1]!.remedy).toContain('proxy_buffering off');
  } finally {
    await behind.rivulet.stop();
  }
});

test('a credential is looked at and tried: unknown, missing, too weak, for something else', async () => {
  expect((await doctor(['--only', 'token'], { RIVULET_TOKEN: '' })).codes).toEqual(['TOKEN_MISSING']);
  expect((await doctor(['--only', 'token'], { RIVULET_TOKEN: 'rk_nobody_knows' })).codes).toEqual(['TOKEN_INVALID']);
  const viewer = await doctor(['--only', 'token'], { RIVULET_TOKEN: VIEWER });
  expect([viewer.code, viewer.codes, factsOf(viewer, 'token')]).toEqual([1, ['SCOPE_MISSING'], 'an API key of role viewer: inspect, read']);
  expect((await doctor(['--only', 'token', '--need', 'read,inspect'], { RIVULET_TOKEN: VIEWER })).codes).toEqual([]);
  const { streamNo, writeToken, readToken } = await rivulet({ url: running.url, token: running.apiKey }).open();
  const reader = await doctor(['--only', 'token', '--need', 'write'], { RIVULET_TOKEN: readToken });
  expect([reader.codes, factsOf(reader, 'token')]).toEqual([['SCOPE_MISSING'], expect.stringMatching(`for stream ${streamNo}, scopes read, until`)]);
  expect((await doctor(['--only', 'token', '--need', 'write,cancel'], { RIVULET_TOKEN: writeToken })).codes).toEqual([]);
  const [head, claims, seal] = readToken!.split('.');
  const altered = (change: object): string => [head, Buffer.from(JSON.stringify({ ...JSON.parse(Buffer.from(claims!, 'base64url').toString()), ...change })).toString('base64url'), seal].join('.');
  expect((await doctor(['--only', 'token'], { RIVULET_TOKEN: altered({ scope: 'read write' }) })).codes).toEqual(['TOKEN_INVALID']);
  expect((await doctor(['--only', 'token'], { RIVULET_TOKEN: altered({ exp: 1_700_000_000 }) })).codes).toEqual(['TOKEN_EXPIRED']);
});

test('a page whose origin is not listed is refused, and the remedy names the setting', async () => {
  const { code, report } = await doctor(['--only', 'cors', '--origin', 'https://other.example.org']);
  const [finding] = report.checks.find(({ check }) => check === 'cors')!.findings;
  expect([code, finding!.code, finding!.remedy]).toEqual([1, 'CORS_REFUSED', expect.stringContaining('https://other.example.org to RIVULET_CORS_ORIGINS')]);
});

test('a streamNo that was made up, altered, or never used is told from one that is there', async () => {
  const producer = await rivulet({ url: running.url, token: running.apiKey }).open();
  await producer.write('a');
  await producer.write('b');
  await producer.flush();
  expect((await doctor(['--only', 'streams', producer.streamNo])).codes).toEqual([]);
  const made = await doctor(['--only', 'streams', 'chat-42-message-7']);
  expect([made.code, made.codes]).toEqual([1, ['STREAM_NO_NOT_ISSUED']]);
  expect(made.report.checks.flatMap(({ findings }) => findings)[0]!.what).toContain('messages of their own');
  const last = producer.streamNo.at(-1) === '0' ? '1' : '0';
  expect((await doctor(['--only', 'streams', producer.streamNo.slice(0, -1) + last])).codes).toEqual(['STREAM_NO_NOT_ISSUED']);
  await producer.abort('MODEL_FAILED', 'out of tokens');
  expect((await doctor(['--only', 'streams', producer.streamNo])).codes).toEqual(['STREAM_FAILED']);
});

test('fragments that were each opened as a stream of their own are recognised, in general and from one of them', async () => {
  const own = await startRivulet();
  try {
    const client = rivulet({ url: own.url, token: own.apiKey });
    const words = 'why does each word show up alone'.split(' ');
    const numbers = await Promise.all(words.map(async (word) => {
      const producer = await client.open({ channel: 'chat' });
      await producer.write(word);
      await producer.end();
      return producer.streamNo;
    }));
    const env = { RIVULET_URL: own.url, RIVULET_TOKEN: own.apiKey };
    expect((await doctor(['--only', 'streams'], env)).codes).toEqual(['FRAGMENTS_AS_STREAMS']);
    expect((await doctor(['--only', 'streams', numbers[0]!], env)).codes).toEqual(['FRAGMENTS_AS_STREAMS']);
  } finally {
    await own.stop();
  }
});

test('faults of plugins are told as the hosts report them, with their remedies', async () => {
  const rows = [
    { host: 'a', plugin: 'echo', version: '1.0.0', state: 'running' },
    { host: 'b', plugin: 'echo', version: '0.9.0', state: 'VERSION_DRIFT', fault: { code: 'VERSION_DRIFT', detail: 'It has 0.9.0 and wants 1.0.0.', remedy: 'Install 1.0.0 again.' } },
  ];
  const url = await proxyTo(() => running.url, (incoming, answer, outgoing) => {
    if (incoming.url !== '/v1/admin/plugins') return false;
    answer.resume();
    outgoing.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ rows }));
    return true;
  });
  const { code, report } = await doctor(['--only', 'plugins'], { RIVULET_URL: url });
  expect([code, report.checks.find(({ check }) => check === 'plugins')]).toEqual([1, {
    check: 'plugins', facts: ['1 plugin(s) on 2 host(s)'],
    findings: [{ code: 'PLUGIN_VERSION_DRIFT', what: 'echo 0.9.0 on b is VERSION_DRIFT: It has 0.9.0 and wants 1.0.0.', remedy: 'Install 1.0.0 again.' }],
  }]);
});

test('links that lead nowhere are found, and the rest is measured where we are', async () => {
  const own = await startRivulet({ env: { RIVULET_PUBLIC_URL: 'http://127.0.0.1:9' } });
  try {
    const found = await doctor(['--only', 'buffering,websocket'], { RIVULET_URL: own.url, RIVULET_TOKEN: own.apiKey });
    expect([found.code, found.codes]).toEqual([1, ['PUBLIC_URL_UNREACHABLE']]);
    expect(factsOf(found, 'buffering')).toContain('arrive as they are sent');
  } finally {
    await own.stop();
  }
});

test('while Kafka is away the service is not ready, and no right is denied that cannot be tried', async () => {
  const own = await startRivulet({ env: { RIVULET_ALLOCATOR_WRITE_MS_MAX: '500' } });
  try {
    own.faults.kafkaAway = true;
    await eventually(async () => expect((await fetch(`${own.url}/readyz`)).status).toBe(503));
    const { code, codes, report } = await doctor(['--only', 'token,clocks'], { RIVULET_URL: own.url, RIVULET_TOKEN: own.apiKey });
    expect([code, codes]).toEqual([1, ['SERVICE_NOT_READY']]);
    expect(report.checks.map(({ check, skipped }) => [check, skipped !== undefined])).toEqual([['service', false], ['token', true], ['clocks', true]]);
  } finally {
    await own.stop();
  }
});

test('when nothing answers that is what is found, and Kafka that is away too; nothing waits for long', async () => {
  const before = performance.now();
  const { code, codes } = await doctor(['--brokers', '127.0.0.1:9'], { RIVULET_URL: 'http://127.0.0.1:9' });
  expect([code, codes]).toEqual([1, ['SERVICE_UNREACHABLE', 'KAFKA_UNREACHABLE']]);
  expect(performance.now() - before).toBeLessThan(25_000 * slowdown());
  const nobody = await proxyTo(() => running.url, (_, answer, outgoing) => { answer.resume(); outgoing.writeHead(200).end('<html>welcome</html>'); return true; });
  expect((await doctor([], { RIVULET_URL: nobody })).codes).toEqual(['NOT_RIVULET']);
});
