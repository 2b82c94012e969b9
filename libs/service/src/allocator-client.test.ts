import { dirname, join } from 'node:path';
import { loadPackageDefinition, Metadata, Server, ServerCredentials, status } from '@grpc/grpc-js';
import type { sendUnaryData, ServerErrorResponse, ServiceDefinition } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import type { ErrorCode } from '@rivulet/protocol';
import { AllocatorGrpc } from './allocator-client';

const PROTO = join(dirname(require.resolve('@rivulet/protocol/package.json')), 'proto', 'allocator.proto');
const { rivulet } = loadPackageDefinition(loadSync(PROTO, { keepCase: true, defaults: true })) as unknown as {
  rivulet: { allocator: { v1: { Allocator: { service: ServiceDefinition } } } };
};
const call = { principal: 'p', idempotencyKey: '', options: {} };

/** A gRPC server of the published proto that counts what it is asked and says its name, or refuses. */
class Answering {
  count = 0;
  refusal: ErrorCode | null = null;
  address = '';
  private readonly server = new Server();

  constructor(private readonly name: string) {
    const answer = (_: unknown, done: sendUnaryData<{ reply_json: string }>): void => {
      this.count += 1;
      if (this.refusal === null) return done(null, { reply_json: JSON.stringify({ streamNo: this.name }) });
      const metadata = new Metadata();
      metadata.set('rivulet-code', this.refusal);
      return done({ code: status.UNAVAILABLE, metadata } as ServerErrorResponse);
    };
    this.server.addService(rivulet.allocator.v1.Allocator.service, { Open: answer, Retry: answer, Cancel: answer });
  }

  async listen(): Promise<this> {
    const port = await new Promise<number>((resolve, reject) => {
      this.server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) => (error ? reject(error) : resolve(bound)));
    });
    this.address = `127.0.0.1:${port}`;
    return this;
  }

  stop(): void {
    this.server.forceShutdown();
  }
}

let first: Answering;
let second: Answering;
let allocator: AllocatorGrpc;
beforeEach(async () => {
  first = await new Answering('first').listen();
  second = await new Answering('second').listen();
  allocator = new AllocatorGrpc({ addresses: [first.address, second.address], serviceToken: 'x'.repeat(16), deadlineMs: 5_000 });
});
afterEach(() => {
  allocator.close();
  first.stop();
  second.stop();
});

const open = async (): Promise<string> => (await allocator.open(call)).streamNo;

test('calls take turns among all allocators', async () => {
  const names = [await open(), await open(), await open(), await open()];
  expect([first.count, second.count]).toEqual([2, 2]);
  expect(new Set(names)).toEqual(new Set(['first', 'second']));
});

test('an allocator that is gone costs no call while another one is there', async () => {
  await open();
  await open();
  first.stop();
  for (let i = 0; i < 6; i++) expect(await open()).toBe('second');
  expect(allocator.whyNotReady()).toBeNull();
});

test('one that is starting or draining is passed over', async () => {
  first.refusal = 'NOT_READY';
  for (let i = 0; i < 4; i++) expect(await open()).toBe('second');
});

test('a refusal is the answer and is not asked for a second time', async () => {
  first.refusal = second.refusal = 'LOG_UNAVAILABLE';
  await expect(open()).rejects.toMatchObject({ code: 'LOG_UNAVAILABLE' });
  expect(first.count + second.count).toBe(1);
});

test('with none of them left a call is ALLOCATOR_UNAVAILABLE and readiness names each', async () => {
  await open();
  first.stop();
  second.stop();
  await expect(open()).rejects.toMatchObject({ code: 'ALLOCATOR_UNAVAILABLE' });
  expect(allocator.whyNotReady()).toContain(first.address);
  expect(allocator.whyNotReady()).toContain(second.address);
});
