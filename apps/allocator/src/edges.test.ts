import { createHash } from 'node:crypto';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import type { Server } from 'node:http';
import { credentials, loadPackageDefinition, Metadata } from '@grpc/grpc-js';
import type { Client, ServiceError } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { MemoryLog, topicSpecs } from '@rivulet/log';
import { encodeOwner, OWNER_KEY, topicNames } from '@rivulet/protocol';
import type { AdminPartition, AdminStream, AdminStreamPage, OpenedStream, Problem, Version } from '@rivulet/protocol';
import { buildFrame, createApp } from '@rivulet/service';
import type { Frame } from '@rivulet/service';
import { eventually } from '../../../test/support/eventually';
import { FoldOwner } from '../../../test/support/fold-owner';
import { readAllocatorConfig } from './config';
import { AllocatorModule, grpcServer } from './module';
import { openApi } from './openapi';

const KEY = '0123456789abcdef'.repeat(4);
const SERVICE_TOKEN = 'a-service-token-of-this-test';
const OTHER_TOKEN = 'the-next-token-of-this-test';
const names = topicNames('rivulet');
const apiKey = (id: string): string => `rk_${id}_secret`;
const keyRow = (id: string, role: string): string => `${id}:${role}:${createHash('sha256').update(apiKey(id)).digest('hex')}`;

interface System { url: string; grpcPort: number; frame: Frame; fold: FoldOwner; log: MemoryLog }
let system: System;

beforeAll(async () => {
  const config = readAllocatorConfig({
    RIVULET_LOG: 'memory', RIVULET_LOG_LEVEL: 'silent', RIVULET_STREAM_NO_KEYS: KEY, RIVULET_TOKEN_KEYS: KEY,
    RIVULET_PARTITIONS_INTERACTIVE: '2', RIVULET_PARTITIONS_BULK: '1', RIVULET_SERVICE_TOKEN: SERVICE_TOKEN,
    RIVULET_SERVICE_TOKEN_OTHER: OTHER_TOKEN,
    RIVULET_API_KEYS: [keyRow('ops', 'operator'), keyRow('app', 'producer'), keyRow('eye', 'viewer')].join(','),
  });
  const frame = buildFrame('allocator', config);
  const log = new MemoryLog();
  await log.createTopics(topicSpecs(names, { interactive: 2, bulk: 1, replication: 1, minInsync: 1 }));
  const grpcPort = await freePort();
  const app = await createApp(AllocatorModule.with({ frame, log, config }), frame, {
    host: '127.0.0.1', port: 0, prepare: (nest) => { nest.connectMicroservice(grpcServer('127.0.0.1', grpcPort)); },
  });
  const { port } = (app.getHttpServer() as Server).address() as AddressInfo;
  system = { url: `http://127.0.0.1:${port}`, grpcPort, frame, log, fold: new FoldOwner(log, names, 3) };
});

afterAll(async () => {
  await system.fold.close();
  expect(await system.frame.drain.run()).toBe(true);
  await system.log.close();
});

/** Nest's gRPC server does not say which port it got, so it is given one. */
function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}

type Done = (error: ServiceError | null, reply?: { reply_json: string }) => void;
type Rpc = (request: object, metadata: Metadata, done: Done) => void;

/** A call as ingest makes it. @returns the reply, or the code and details of the refusal */
async function call<T>(method: 'Open' | 'Retry' | 'Cancel', request: object, token = SERVICE_TOKEN): Promise<{ reply?: T; code?: string; details?: unknown }> {
  const proto = loadSync(require.resolve('@rivulet/protocol/package.json').replace('package.json', 'proto/allocator.proto'), { keepCase: true });
  const loaded = loadPackageDefinition(proto) as unknown as {
    rivulet: { allocator: { v1: { Allocator: new (address: string, channel: unknown) => Client & Record<string, Rpc> } } };
  };
  const client = new loaded.rivulet.allocator.v1.Allocator(`127.0.0.1:${system.grpcPort}`, credentials.createInsecure());
  const metadata = new Metadata();
  metadata.set('authorization', `Bearer ${token}`);
  try {
    return await new Promise((resolve) => (client[method] as Rpc).call(client, request, metadata, (error, reply) => {
      if (!error) resolve({ reply: JSON.parse(reply?.reply_json ?? '') as T });
      else resolve({ code: String(error.metadata.get('rivulet-code')[0]), details: JSON.parse(String(error.metadata.get('rivulet-details')[0])) });
    }));
  } finally {
    client.close();
  }
}

async function opened(options: object = {}): Promise<OpenedStream> {
  const { reply } = await call<OpenedStream>('Open', { principal: 'app', options_json: JSON.stringify(options) });
  return reply as OpenedStream;
}

const get = (path: string, key: string): Promise<Response> => fetch(`${system.url}${path}`, { headers: { authorization: `Bearer ${apiKey(key)}` } });

test('gRPC: open, retry and cancel answer what the allocator answers', async () => {
  const { streamNo } = await opened({ channel: 'room' });
  expect((await call('Retry', { stream_no: streamNo, epoch: 1, attempt_id: 'second', keep_none: true })).reply).toMatchObject({ epoch: 2, next: 1 });
  expect((await call('Cancel', { stream_no: streamNo, by: 'app', reason: 'enough' })).reply).toMatchObject({ status: 'cancelled' });
});

test('gRPC: a refusal carries its code and facts, whatever characters they have', async () => {
  const refused = await call('Open', { principal: 'app', options_json: '{"leaseMs":1}' });
  expect(refused.code).toBe('OPTIONS_INVALID');
  expect(refused.details).toMatchObject({ option: 'leaseMs' });
  expect((await call('Open', { options_json: '{"größe":1}' })).details).toMatchObject({ option: 'größe' });
  expect((await call('Open', { options_json: '{' })).code).toBe('BODY_INVALID');
});

test('gRPC: nobody without the service token', async () => {
  expect((await call('Open', { principal: 'app' }, 'another-token-of-someone')).code).toBe('UNAUTHENTICATED');
  expect((await call('Open', { principal: 'app' }, '')).code).toBe('UNAUTHENTICATED');
});

test('gRPC: while the service token is exchanged both are accepted', async () => {
  for (const token of [SERVICE_TOKEN, OTHER_TOKEN]) {
    expect((await call<OpenedStream>('Open', { principal: 'app', options_json: '{}' }, token)).reply?.streamNo).toHaveLength(32);
  }
});

test('admin: an operator and a viewer read, a producer and a stream token do not, nobody without a key', async () => {
  const { readToken } = await opened();
  expect((await get('/v1/admin/streams', 'ops')).status).toBe(200);
  expect((await get('/v1/admin/streams', 'eye')).status).toBe(200);
  expect((await get('/v1/admin/streams', 'app')).status).toBe(403);
  expect((await fetch(`${system.url}/v1/admin/streams?token=${readToken}`)).status).toBe(403);
  expect((await fetch(`${system.url}/v1/admin/streams`)).status).toBe(401);
});

test('admin: the streams of one channel are for whoever may read that channel', async () => {
  const { streamNo, readToken } = await opened({ channel: 'room-1' });
  const auth = new Map([['app', apiKey('app')], ['of the channel', await system.frame.auth.mintChannel('room-1', Date.now() + 60_000)],
    ['of another', await system.frame.auth.mintChannel('room-2', Date.now() + 60_000)], ['of a stream in it', readToken]]);
  const answers = (): Promise<unknown[]> => Promise.all([...auth].map(async ([who, credential]) => {
    const answer = await fetch(`${system.url}/v1/admin/streams?channel=room-1`, { headers: { authorization: `Bearer ${credential}` } });
    return [who, answer.status, answer.ok && (await answer.json() as AdminStreamPage).streams.map((one) => one.streamNo)];
  }));
  const expected = [['app', 200, [streamNo]], ['of the channel', 200, [streamNo]], ['of another', 403, false], ['of a stream in it', 403, false]];
  await eventually(async () => expect(await answers()).toEqual(expected));
});

test('tokens: a key signs for a stream or a channel what it may do itself, for as long as asked, and a token signs none', async () => {
  const { streamNo, readToken } = await opened({ channel: 'room-3' });
  const ask = async (credential: string, body: object): Promise<{ status: number; code?: string; token?: string; expiresAt?: number }> => {
    const answer = await fetch(`${system.url}/v1/tokens`, {
      method: 'POST', headers: { authorization: `Bearer ${credential}`, 'content-type': 'application/json' }, body: JSON.stringify(body),
    });
    return { status: answer.status, ...await answer.json() as object };
  };
  const claimsOf = async (token = '') => (await system.frame.auth.authenticate({ authorization: `Bearer ${token}` })).claims;
  const both = await ask(apiKey('app'), { streamNo, scope: 'read cancel', ttlMs: 60_000 });
  expect(both.status).toBe(201);
  expect(await claimsOf(both.token)).toEqual({ sub: streamNo, scope: 'read cancel', exp: both.expiresAt! / 1000 });
  expect(Math.abs(both.expiresAt! - Date.now() - 60_000)).toBeLessThan(5_000);
  const channel = await ask(apiKey('eye'), { channel: 'room-3' });
  expect(await claimsOf(channel.token)).toMatchObject({ ch: 'room-3', scope: 'read' });
  const refused = async (credential: string, body: object) => (await ask(credential, body)).code;
  expect(await refused(apiKey('eye'), { streamNo, scope: 'read cancel' })).toBe('FORBIDDEN');
  expect(await refused(readToken, { streamNo })).toBe('FORBIDDEN');
  expect(await refused(both.token!, { streamNo })).toBe('FORBIDDEN');
  expect(await refused('', { streamNo })).toBe('UNAUTHENTICATED');
  expect(await refused(apiKey('app'), { streamNo: '0'.repeat(32) })).toBe('STREAM_NO_NOT_ISSUED');
  for (const body of [{}, { streamNo, channel: 'room-3' }, { channel: 'room-3', scope: 'cancel' }, { streamNo, scope: 'write' }, { streamNo, ttlMs: 1 }, { streamNo, more: 1 }]) {
    expect([body, await refused(apiKey('ops'), body)]).toEqual([body, 'OPTIONS_INVALID']);
  }
});

test('admin: the list and one stream; only an operator cancels', async () => {
  const { streamNo } = await opened({ channel: 'admin-test', metadata: { who: 'me' } });
  await call('Retry', { stream_no: streamNo, epoch: 1, attempt_id: 'second' });
  const page = await (await get('/v1/admin/streams?channel=admin-test&status=open', 'eye')).json() as AdminStreamPage;
  expect(page.streams.map((stream) => stream.streamNo)).toEqual([streamNo]);
  const one = await (await get(`/v1/admin/streams/${streamNo}`, 'eye')).json() as AdminStream;
  expect(one).toMatchObject({ streamNo, epoch: 2, metadata: { who: 'me' }, attempts: [{ epoch: 1 }, { epoch: 2, attemptId: 'second' }] });
  expect(one.verdicts.map(({ kind }) => kind)).toEqual(['open', 'retry']);
  const cancel = (key: string): Promise<Response> => fetch(`${system.url}/v1/admin/streams/${streamNo}/cancel`, {
    method: 'POST', headers: { authorization: `Bearer ${apiKey(key)}`, 'content-type': 'application/json' }, body: '{"reason":"enough"}',
  });
  expect((await cancel('eye')).status).toBe(403);
  const cancelled = await cancel('ops');
  expect(cancelled.status).toBe(200);
  expect(await cancelled.json()).toMatchObject({ streamNo, status: 'cancelled' });
});

test('[NO-2] admin: a made-up streamNo is STREAM_NO_NOT_ISSUED', async () => {
  const answer = await get(`/v1/admin/streams/${'0'.repeat(32)}`, 'ops');
  expect(answer.status).toBe(400);
  expect((await answer.json() as Problem).code).toBe('STREAM_NO_NOT_ISSUED');
});

test('the page comes with all its files, takes nothing from elsewhere, and is not sent twice', async () => {
  const page = await fetch(`${system.url}/`);
  expect(page.status).toBe(200);
  expect(page.headers.get('content-type')).toBe('text/html; charset=utf-8');
  const policy = page.headers.get('content-security-policy');
  expect(policy).toContain("default-src 'none'");
  expect(policy).not.toMatch(/unsafe|https?:/);
  const html = await page.text();
  expect(html).not.toMatch(/(src|href)="https?:/);
  for (const [, file] of html.matchAll(/(?:src|href)="\/?([\w.-]+)"/g)) expect((await fetch(`${system.url}/${file}`)).status).toBe(200);
  const again = await fetch(`${system.url}/`, { headers: { 'if-none-match': page.headers.get('etag') ?? '' } });
  expect(again.status).toBe(304);
  expect((await fetch(`${system.url}/../package.json`)).status).toBe(404);
});

test('/openapi.json describes the routes of this app, and every reference in it leads somewhere', async () => {
  const document = await (await fetch(`${system.url}/openapi.json`)).json() as { paths: Record<string, object>; components: { schemas: object } };
  expect(document).toEqual(JSON.parse(JSON.stringify(openApi())));
  const described = Object.keys(document.paths).filter((path) => !/^\/v1\/(streams|watch|pipe|plugins|admin\/plugins)/.test(path));
  const urls = system.frame.routes.map(({ url }) => url.replace(/:(\w+)/g, '{$1}'));
  const routes = new Set(urls.filter((url) => /^\/(v1|healthz|readyz|metrics|openapi|asyncapi)/.test(url)));
  expect(described.sort()).toEqual([...routes].sort());
  for (const [, name] of JSON.stringify(document).matchAll(/#\/components\/schemas\/(\w+)/g)) {
    expect(document.components.schemas).toHaveProperty(name as string);
  }
});

test('it is ready once the lifecycle topic has been read', async () => {
  expect(await (await fetch(`${system.url}/readyz`)).json()).toMatchObject({ ready: true, checks: { 'allocator-lifecycle': { ready: true } } });
});

test('[OWN-2] partitions name their owner by the highest claim, whatever a loser wrote later', async () => {
  const claiming = system.log.appender<Uint8Array>({
    topic: names.lifecycle, class: 'control', queueBytesMax: 1e6, batchBytesMax: 1e5, batchEntriesMax: 10, deadlineMs: 5_000,
    encode: (values) => values.map((value) => ({ key: OWNER_KEY, value, entries: 1 })),
  });
  const claim = (instance: string, version: Version) =>
    claiming.append(2, encodeOwner({ version, instance, address: `http://${instance}`, replayFrom: 7, logId: '' }), 100);
  await claim('first', [-1, 0, 0]);
  const { offset } = await claim('second', [-1, 0, 0]);
  await claim('first', [offset - 1, 9, 0]);
  const list = async (key: string): Promise<Response> => fetch(`${system.url}/v1/admin/partitions`, { headers: { authorization: `Bearer ${key}` } });
  await eventually(async () => {
    const partitions = await (await list(apiKey('eye'))).json() as AdminPartition[];
    expect(partitions.map((row) => [row.partition, row.class])).toEqual([[0, 'interactive'], [1, 'interactive'], [2, 'bulk']]);
    expect(partitions[2]!.owner).toEqual({ instance: 'second', address: 'http://second', claim: offset, replayFrom: 7 });
  });
  expect((await list(apiKey('app'))).status).toBe(403);
  await claiming.close();
});
