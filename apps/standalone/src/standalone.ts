import 'reflect-metadata';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { setTimeout as elapse } from 'node:timers/promises';
import { Module } from '@nestjs/common';
import type { DynamicModule } from '@nestjs/common';
import { AllocatorModule, buildAllocator } from '@rivulet/allocator';
import { buildFanout, FanoutModule } from '@rivulet/fanout';
import type { Fanout } from '@rivulet/fanout';
import { IngestModule } from '@rivulet/ingest';
import { buildFrame, createApp, openLog } from '@rivulet/service';
import type { AllocatorPort, Frame } from '@rivulet/service';
import { developmentKey, readStandaloneConfigs } from './config';
import type { StandaloneConfigs } from './config';

export interface StandaloneOptions {
  /** 0 or absent: any free one. */
  port?: number;
  host?: string;
  /** Settings by their environment names, e.g. RIVULET_ALLOCATOR_LEASE_MS; the environment of the process is not read. */
  env?: NodeJS.ProcessEnv;
}

export interface Standalone {
  /** The one origin: https://…/v1/streams, /v1/watch, /v1/admin and the page at /. */
  url: string;
  /** A key that may do everything. */
  apiKey: string;
  /** Drains and stops; what was in the log is gone. */
  stop(): Promise<void>;
}

const READY_MS_MAX = 10_000;
const READY_POLL_MS = 5;

@Module({})
class StandaloneModule {}

/**
 * All of Rivulet in this process, on the memory log: for first looks and for tests of what is built on it. It is the real thing except for
 * the log: the same judge, owners and protocols. Nothing survives the process.
 */
export async function startStandalone(options: StandaloneOptions = {}): Promise<Standalone> {
  const host = options.host ?? options.env?.['RIVULET_HOST'] ?? '127.0.0.1';
  const port = options.port || Number(options.env?.['RIVULET_STANDALONE_PORT'] ?? 0) || await freePort(host);
  const { apiKey, row } = developmentKey();
  const url = `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
  const keys = options.env?.['RIVULET_API_KEYS'];
  const configs = readStandaloneConfigs({
    RIVULET_PUBLIC_URL: url,
    ...options.env,
    RIVULET_LOG: 'memory',
    RIVULET_HOST: host,
    RIVULET_FANOUT_ADDRESS: url,
    RIVULET_API_KEYS: keys ? `${keys},${row}` : row,
  });
  const frame = buildFrame('standalone', configs.own);
  try {
    await start(frame, configs, host, port);
  } catch (error) {
    await frame.drain.run();
    throw error;
  }
  return { url, apiKey, stop: async () => void await frame.drain.run() };
}

async function start(frame: Frame, configs: StandaloneConfigs, host: string, port: number): Promise<void> {
  const log = await openLog(configs.own, frame);
  const built = buildAllocator(frame, log, configs.allocator);
  // In other processes these calls are gRPC; here ingest and fanout have the allocator itself.
  const allocator: AllocatorPort = {
    open: (call) => built.allocator.open(call),
    retry: (call) => built.allocator.retry(call),
    cancel: (call) => built.allocator.cancel(call),
    whyNotReady: () => null,
  };
  const fanout: Fanout = buildFanout(frame, log, configs.fanout, allocator);
  const root: DynamicModule = {
    module: StandaloneModule,
    imports: [
      IngestModule.with({ frame, log, config: configs.ingest, allocator }),
      FanoutModule.with(fanout),
      AllocatorModule.with({ frame, log, config: configs.allocator, built }),
    ],
  };
  await createApp(root, frame, { host, port, prepare: (app) => FanoutModule.connect(app, fanout) });
  await untilReady(frame);
}

async function untilReady(frame: Frame): Promise<void> {
  const deadline = performance.now() + READY_MS_MAX;
  while (!frame.readiness.isReady) {
    if (performance.now() > deadline) throw new Error(`Not ready after ${READY_MS_MAX} ms: ${JSON.stringify(frame.readiness.report())}`);
    await elapse(READY_POLL_MS);
  }
}

/** Links in answers need the port before anything listens on it. */
async function freePort(host: string): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve, reject) => {
    probe.once('error', reject);
    probe.listen(0, host, resolve);
  });
  const { port } = probe.address() as AddressInfo;
  await new Promise((resolve) => probe.close(resolve));
  return port;
}
