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
import type { MemoryLog } from '@rivulet/log';
import { PluginsModule } from '@rivulet/plugins';
import { buildFrame, createApp, openLog } from '@rivulet/service';
import type { AllocatorPort, Frame } from '@rivulet/service';
import { developmentKey, readStandaloneConfigs } from './config';
import type { StandaloneConfigs } from './config';
import { askPlugin, startPlugins, untilPluginsRun } from './plugins';
import type { AskedStream, AskOptions, PluginOptions } from './plugins';

export interface StartOptions {
  /** 0 or absent: any free one. */
  port?: number;
  host?: string;
  /** Settings by their environment names, e.g. RIVULET_ALLOCATOR_LEASE_MS; the environment of the process is not read. */
  env?: NodeJS.ProcessEnv;
  /** A plugin host too, and what it runs. When it has started every plugin runs. */
  plugins?: PluginOptions;
  /** Where log lines (JSON) go. Without it nothing is logged, unless env has a RIVULET_LOG_LEVEL: then to stdout. */
  log?: { write(line: string): void };
}

/** Trouble to switch on, for tests of what a program does then. */
export interface RivuletFaults {
  /** As if Kafka did not answer: appends fail LOG_UNAVAILABLE after their deadline, sessions stand still, /readyz says so. */
  kafkaAway: boolean;
}

export interface RunningRivulet extends AsyncDisposable {
  /** The one origin: /v1/streams, /v1/watch, /v1/admin, and the page at /. */
  url: string;
  /** A key that may do everything. */
  apiKey: string;
  readonly faults: RivuletFaults;
  /**
   * Asks a plugin, as POST /v1/plugins/:name/requests.
   * @returns the stream of the answer, open already
   * @throws StreamError as the API answers, such as PLUGIN_NOT_FOUND
   */
  ask(plugin: string, input?: unknown, options?: AskOptions): Promise<AskedStream>;
  /** Drains and stops; what was in the log is gone. May be called again, and by `await using`. */
  stop(): Promise<void>;
}

const READY_MS_MAX = 10_000;
const READY_POLL_MS = 5;
/** Ports tried when any free one will do. */
const PORT_TRIES_MAX = 5;

@Module({})
class StandaloneModule {}

/**
 * All of Rivulet in this process, on the memory log: for first looks and for tests of what is built on it. It is the real thing except for
 * the log: the same judge, owners and protocols. Nothing survives the process. Any number of them run side by side.
 * @throws ConfigError naming every problem of `env`; Error with the faults and remedies of `plugins` that do not run
 */
export async function startRivulet(options: StartOptions = {}): Promise<RunningRivulet> {
  const host = options.host ?? options.env?.['RIVULET_HOST'] ?? '127.0.0.1';
  const given = options.port || Number(options.env?.['RIVULET_STANDALONE_PORT'] ?? 0);
  if (given > 0) return startOn(host, given, options);
  for (let tries = 1; ; tries += 1) {
    try {
      return await startOn(host, await freePort(host), options);
    } catch (error) {
      // Somebody else took it meanwhile.
      if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE' || tries === PORT_TRIES_MAX) throw error;
    }
  }
}

async function startOn(host: string, port: number, options: StartOptions): Promise<RunningRivulet> {
  const { apiKey, row } = developmentKey();
  const url = `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
  const keys = options.env?.['RIVULET_API_KEYS'];
  const env = {
    RIVULET_PUBLIC_URL: url,
    RIVULET_LOG_LEVEL: options.log ? 'info' : 'silent',
    ...options.env,
    RIVULET_LOG: 'memory',
    RIVULET_HOST: host,
    RIVULET_FANOUT_ADDRESS: url,
    RIVULET_API_KEYS: keys ? `${keys},${row}` : row,
  };
  const configs = readStandaloneConfigs(env);
  const frame = buildFrame('standalone', configs.own, options.log);
  const log = (await openLog(configs.own, frame)) as MemoryLog;
  const stop = async (): Promise<void> => {
    // A log that does not answer cannot be drained.
    log.faults.isAway = false;
    await frame.drain.run();
  };
  try {
    await start(frame, log, configs, { host, port, url, env, plugins: options.plugins });
  } catch (error) {
    await stop();
    throw error;
  }
  const ask: RunningRivulet['ask'] = (plugin, input, more = {}) => askPlugin({ url, apiKey }, plugin, input, more);
  return { url, apiKey, ask, stop, faults: faultsOf(log), [Symbol.asyncDispose]: stop };
}

function faultsOf({ faults }: MemoryLog): RivuletFaults {
  return {
    get kafkaAway() { return faults.isAway; },
    set kafkaAway(isAway) { faults.isAway = isAway; },
  };
}

interface Place { host: string; port: number; url: string; env: NodeJS.ProcessEnv; plugins: PluginOptions | undefined }

async function start(frame: Frame, log: MemoryLog, configs: StandaloneConfigs, { host, port, url, env, plugins }: Place): Promise<void> {
  const built = buildAllocator(frame, log, configs.allocator);
  // In other processes these calls are gRPC; here ingest and fanout have the allocator itself.
  const allocator: AllocatorPort = {
    open: (call) => built.allocator.open(call),
    retry: (call) => built.allocator.retry(call),
    cancel: (call) => built.allocator.cancel(call),
    whyNotReady: () => null,
  };
  const fanout: Fanout = buildFanout(frame, log, configs.fanout, allocator);
  const pluginHost = plugins && startPlugins({ frame, log, allocator }, plugins, env, url);
  const root: DynamicModule = {
    module: StandaloneModule,
    imports: [
      IngestModule.with({ frame, log, config: configs.ingest, allocator }),
      FanoutModule.with(fanout),
      AllocatorModule.with({ frame, log, config: configs.allocator, built }),
      ...(pluginHost ? [PluginsModule.with(pluginHost)] : []),
    ],
  };
  await createApp(root, frame, { host, port, prepare: (app) => FanoutModule.connect(app, fanout) });
  await untilReady(frame);
  if (plugins && pluginHost) await untilPluginsRun(pluginHost, plugins);
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
