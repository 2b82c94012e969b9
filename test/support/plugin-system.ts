import { createHash, randomBytes } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { AllocatorModule, buildAllocator, readAllocatorConfig } from '@rivulet/allocator';
import { rivulet } from '@rivulet/client';
import type { Rivulet } from '@rivulet/client';
import { buildFanout, FanoutModule, readFanoutConfig } from '@rivulet/fanout';
import { IngestModule, readIngestConfig } from '@rivulet/ingest';
import { MemoryLog } from '@rivulet/log';
import { buildPlugins, PluginsModule, readPluginsConfig } from '@rivulet/plugins';
import type { BuiltPlugins } from '@rivulet/plugins';
import { topicNames } from '@rivulet/protocol';
import { buildFrame, createApp, openLog } from '@rivulet/service';
import type { AllocatorPort } from '@rivulet/service';
import { freePort } from '../../tools/free-port.cjs';
import { eventually } from './eventually';

const SUPPORT = __dirname;
/** The process of a plugin as it is in the sources. */
export const CHILD = { program: path.join(SUPPORT, '..', '..', 'apps', 'plugins', 'src', 'plugin-child.ts'), nodeArgs: ['-r', path.join(SUPPORT, 'ts-hook.cjs')], shippedMain: 'src/index.ts' };

export interface PluginHostUnderTest {
  url: string;
  built: BuiltPlugins;
  /** Its own client of the log that all share, for faults of this host alone. */
  log: MemoryLog;
  ask(plugin: string, body: unknown, headers?: Record<string, string>): Promise<{ status: number; body: Record<string, unknown> }>;
  call(path: string, init?: RequestInit): Promise<{ status: number; body: Record<string, unknown> }>;
  /** Everything that stands in the topic of plugins, as text. */
  records(): Promise<string>;
  stop(): Promise<void>;
}
export interface PluginSystem {
  url: string;
  allocator: AllocatorPort;
  log: MemoryLog;
  client: Rivulet;
  key: string;
  addHost(settings?: Record<string, string>): Promise<PluginHostUnderTest>;
  stop(): Promise<void>;
}

/** Allocator, ingest and fanout in this process on the memory log, and as many plugin hosts beside them as a test wants. */
export async function startPluginSystem(settings: Record<string, string> = {}): Promise<PluginSystem> {
  const key = `rk_test_${randomBytes(12).toString('hex')}`;
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const env = {
    RIVULET_LOG: 'memory', RIVULET_LOG_LEVEL: 'silent', RIVULET_PARTITIONS_INTERACTIVE: '3', RIVULET_PARTITIONS_BULK: '1', RIVULET_PUBLIC_URL: url,
    RIVULET_API_KEYS: `test:operator:${createHash('sha256').update(key).digest('hex')}`,
    RIVULET_TOKEN_KEYS: randomBytes(32).toString('hex'), RIVULET_STREAM_NO_KEYS: randomBytes(32).toString('hex'), RIVULET_DRAIN_MS_MAX: '4000',
    ...settings,
  };
  const config = readAllocatorConfig(env);
  const frame = buildFrame('all', config);
  const log = (await openLog(config, frame)) as MemoryLog;
  const built = buildAllocator(frame, log, config);
  const allocator: AllocatorPort = {
    open: (call) => built.allocator.open(call),
    retry: (call) => built.allocator.retry(call),
    cancel: (call) => built.allocator.cancel(call),
    whyNotReady: () => null,
  };
  const fanout = buildFanout(frame, log, readFanoutConfig({ ...env, RIVULET_FANOUT_ADDRESS: url }), allocator);
  await createApp({
    module: class All {},
    imports: [
      IngestModule.with({ frame, log, config: readIngestConfig(env), allocator }), FanoutModule.with(fanout),
      AllocatorModule.with({ frame, log, config, built }),
    ],
  }, frame, { host: '127.0.0.1', port, prepare: (app) => FanoutModule.connect(app, fanout) });
  await eventually(() => expect(frame.readiness.report()).toMatchObject({ ready: true }));
  const hosts: PluginHostUnderTest[] = [];
  return {
    url, key, allocator, log, client: rivulet({ url, token: key }),
    addHost: async (more = {}) => {
      const host = await startHost(log, allocator, url, key, { ...env, ...more });
      hosts.push(host);
      return host;
    },
    stop: async () => {
      await Promise.all(hosts.map((host) => host.stop()));
      await frame.drain.run();
    },
  };
}

async function startHost(
  shared: MemoryLog, allocator: AllocatorPort, url: string, key: string, env: Record<string, string>,
): Promise<PluginHostUnderTest> {
  const config = readPluginsConfig({
    RIVULET_PLUGINS_SHIPPED: ' ', RIVULET_PLUGINS_PORT: '0', RIVULET_PLUGINS_INGEST_URL: url, RIVULET_PLUGINS_WATCH_URL: url, RIVULET_PLUGINS_LEASE_MS: '1000', RIVULET_PLUGINS_RELOAD_MS: '50',
    RIVULET_PLUGINS_REPORT_MS: '100', RIVULET_PLUGINS_RESTART_MS: '50', RIVULET_PLUGINS_FINISH_MS_MAX: '0', RIVULET_PLUGINS_HUNG_MS_MAX: '20000', ...env,
  });
  const frame = buildFrame('plugins', config);
  const log = new MemoryLog({}, shared);
  frame.drain.add('log', 'log', () => log.close());
  const built = buildPlugins({ frame, log, config, allocator, program: CHILD });
  const app = await createApp(PluginsModule.with(built), frame, { host: '127.0.0.1', port: config.pluginsPort });
  const own = `http://127.0.0.1:${(app.getHttpServer().address() as AddressInfo).port}`;
  await eventually(() => expect(frame.readiness.report()).toMatchObject({ ready: true }));
  const call: PluginHostUnderTest['call'] = async (at, init = {}) => {
    const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json', ...(init.headers as Record<string, string>) };
    const response = await fetch(own + at, { ...init, headers });
    const text = await response.text();
    return { status: response.status, body: text === '' ? {} : JSON.parse(text) as Record<string, unknown> };
  };
  return {
    url: own, built, log, call,
    ask: (plugin, body, headers = {}) => call(`/v1/plugins/${plugin}/requests`, { method: 'POST', body: JSON.stringify(body), headers }),
    records: async () => {
      const { plugins: topic } = topicNames(config.topicPrefix);
      const { start, end } = await log.bounds(topic, 0);
      const found: string[] = [];
      for (let at = start; at < end;) {
        const { records, nextOffset } = await log.scan(topic, 0, at);
        found.push(...records.map(({ key, value }) => `${JSON.stringify(key)} ${value?.toString('latin1') ?? ''}`));
        at = nextOffset;
      }
      return found.join('\n');
    },
    stop: async () => { await frame.drain.run(); },
  };
}
