import type { AddressInfo } from 'node:net';
import { createHash } from 'node:crypto';
import { buildAllocator, readAllocatorConfig } from '@rivulet/allocator';
import { IngestModule, readIngestConfig } from '@rivulet/ingest';
import type { MemoryLog } from '@rivulet/log';
import { buildFrame, createApp, openLog } from '@rivulet/service';
import type { Frame } from '@rivulet/service';
import { topicNames } from '@rivulet/protocol';
import type { OpenedStream, OpenOptions, Problem } from '@rivulet/protocol';
import { FoldOwner } from './fold-owner';

export const TEST_KEY = 'rk_test_secret';
export const VIEWER_KEY = 'rk_viewer_secret';
const sha256Hex = (text: string): string => createHash('sha256').update(text).digest('hex');

export interface IngestApp {
  url: string;
  frame: Frame;
  log: MemoryLog;
  owner: FoldOwner;
  topics: ReturnType<typeof topicNames>;
  open(options?: OpenOptions): Promise<OpenedStream>;
  /** @returns status, headers and the JSON of the answer */
  post(path: string, body: unknown, headers?: Record<string, string>): Promise<Answer>;
  stop(): Promise<void>;
}
export interface Answer { status: number; headers: Headers; body: Record<string, unknown> & Partial<Problem> }

/** Ingest as a real Nest app on a free port, over the memory log, with the allocator beside it and the simplest owner behind. */
export async function startIngest(settings: Record<string, string> = {}): Promise<IngestApp> {
  const common = {
    RIVULET_LOG: 'memory', RIVULET_LOG_LEVEL: 'silent', RIVULET_DRAIN_MS_MAX: '5000',
    RIVULET_PARTITIONS_INTERACTIVE: '4', RIVULET_PARTITIONS_BULK: '2',
    RIVULET_API_KEYS: `test:producer:${sha256Hex(TEST_KEY)},viewer:viewer:${sha256Hex(VIEWER_KEY)}`,
  };
  const config = readIngestConfig({ ...common, RIVULET_INGEST_PORT: '0', ...settings });
  const allocatorConfig = readAllocatorConfig(common);
  const frame = buildFrame('ingest', config);
  const log = (await openLog(config, frame)) as MemoryLog;
  const owner = new FoldOwner(log, topicNames(config.topicPrefix), config.partitionsInteractive + config.partitionsBulk);
  const { allocator, ready } = buildAllocator(frame, log, allocatorConfig);
  await ready;
  const port = {
    open: allocator.open.bind(allocator), retry: allocator.retry.bind(allocator), cancel: allocator.cancel.bind(allocator),
    whyNotReady: () => null,
  };
  const app = await createApp(IngestModule.with({ frame, log, config, allocator: port }), frame, { host: '127.0.0.1', port: 0 });
  const url = `http://127.0.0.1:${(app.getHttpServer().address() as AddressInfo).port}`;
  const post = async (path: string, body: unknown, headers: Record<string, string> = {}): Promise<Answer> => {
    const isRaw = typeof body === 'string' || body instanceof Uint8Array;
    const response = await fetch(url + path, {
      method: 'POST', body: isRaw ? (body as string) : JSON.stringify(body),
      headers: { authorization: `Bearer ${TEST_KEY}`, 'content-type': 'application/json', ...headers },
    });
    const text = await response.text();
    return { status: response.status, headers: response.headers, body: text === '' ? {} : JSON.parse(text) };
  };
  return {
    url, frame, log, owner, topics: topicNames(config.topicPrefix), post,
    open: async (options = {}) => {
      const opened = await post('/v1/streams', options);
      if (opened.status !== 201) throw new Error(`open answered ${opened.status}: ${JSON.stringify(opened.body)}`);
      return opened.body as unknown as OpenedStream;
    },
    stop: async () => {
      log.faults.isAway = false;
      await owner.close();
      await frame.drain.run();
    },
  };
}

export const bearer = (token: string): Record<string, string> => ({ authorization: `Bearer ${token}` });
