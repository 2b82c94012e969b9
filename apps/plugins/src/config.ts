import { integerRow, listRow, readConfig, RowProblem, serviceRows, textRow, urlRow } from '@rivulet/service';
import type { ConfigOf, Row, ServiceConfig } from '@rivulet/service';

/** Configurations of plugins by plugin name, as they are given: the plugin's own schema reads them, in its own process. */
export type PluginSettings = Readonly<Record<string, unknown>>;

const settingsRow: Row<PluginSettings> = {
  env: 'RIVULET_PLUGINS_CONFIG', type: 'JSON', defaultText: '', range: 'an object by plugin name', isSecret: true, fallback: {},
  doc: 'Configuration of the plugins, e.g. `{"ai-chat":{"baseUrl":"https://…/v1","apiKey":"…"}}`.',
  parse(text) {
    try {
      const value: unknown = JSON.parse(text);
      if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as PluginSettings;
    } catch (error) {
      // Its message may quote the text, and with it a secret.
      if (!(error instanceof SyntaxError)) throw error;
    }
    throw new RowProblem('cannot be used; set it to a JSON object with one entry per plugin');
  },
};

const pluginName = (text: string): string => {
  if (!/^[a-z0-9-]{1,64}$/.test(text)) throw new RowProblem(`has ${JSON.stringify(text)}; names are 1 to 64 of a-z 0-9 -`);
  return text;
};

function configKey(text: string): Uint8Array {
  const key = /^[0-9a-f]{64}$/i.test(text) ? Buffer.from(text, 'hex') : Buffer.from(text, 'base64');
  if (key.length !== 32 || !/^[\w+/-]+=?$/.test(text)) throw new RowProblem('has an entry that is not 32 bytes as hex or base64; make one with `openssl rand -hex 32`');
  return key;
}

/** The app's only reader of the environment. */
export const pluginsRows = {
  pluginsPort: integerRow({ env: 'RIVULET_PLUGINS_PORT', fallback: 7104, min: 0, max: 65_535, doc: 'HTTP port of the plugin host; 0: a free one.' }),
  hostName: textRow({ env: 'RIVULET_PLUGINS_HOST_NAME', fallback: '', pattern: /^(?!(?:desired|package|config)$)[\w.-]{1,128}$/, range: '1 to 128 of A-Z a-z 0-9 _ . -, and not desired, package or config', doc: 'Name of this host in the health matrix, different for each. Default: the host name of the machine and the port.' }),
  pluginsDir: textRow({ env: 'RIVULET_PLUGINS_DIR', fallback: '', pattern: /^\/[^\0]{0,4095}$/, range: 'an absolute path', doc: 'Folder of plugins: one entry each, a folder with a package.json or a single .js, .cjs or .mjs file. What changes in it is loaded again at once.' }),
  storeDir: textRow({ env: 'RIVULET_PLUGINS_STORE_DIR', fallback: '', pattern: /^\/[^\0]{0,4095}$/, range: 'an absolute path', doc: 'Folder in which installed plugins are unpacked, a folder for each host in it: a cache, which may be lost at any time. Default: rivulet-plugins in the folder for temporary files.' }),
  packageBytesMax: integerRow({ env: 'RIVULET_PLUGINS_PACKAGE_BYTES_MAX', fallback: 8_388_608, min: 1_024, max: 67_108_864, doc: 'Largest package that can be installed, bytes of the .tgz.' }),
  unpackedBytesMax: integerRow({ env: 'RIVULET_PLUGINS_UNPACKED_BYTES_MAX', fallback: 67_108_864, min: 1_024, max: 536_870_912, doc: 'Largest package unpacked, bytes.' }),
  packageFilesMax: integerRow({ env: 'RIVULET_PLUGINS_PACKAGE_FILES_MAX', fallback: 5_000, min: 1, max: 100_000, doc: 'Most files and folders in a package.' }),
  rolloutMs: integerRow({ env: 'RIVULET_PLUGINS_ROLLOUT_MS', fallback: 5_000, min: 0, max: 3_600_000, doc: 'How long a new version of an installed plugin must run on one host before the others get it, ms.' }),
  shipped: listRow({ env: 'RIVULET_PLUGINS_SHIPPED', entry: 'names', countMax: 16, fallbackText: 'echo,ticker', parseEntry: pluginName, doc: 'Which of the plugins that come with Rivulet run: echo, ticker, file, ai-chat.' }),
  settings: settingsRow,
  configKeys: listRow({ env: 'RIVULET_PLUGINS_CONFIG_KEY', entry: '32 bytes, hex or base64', countMax: 2, isSecret: true, parseEntry: configKey, doc: 'Key that secrets of stored configurations are encrypted with: the first encrypts, all decrypt (rotation). The same on every plugin host. Without one no configuration with secrets is stored.' }),
  ingestUrl: urlRow({ env: 'RIVULET_PLUGINS_INGEST_URL', fallback: 'http://127.0.0.1:7102', doc: 'Where answers are written: ingest, or the one origin.' }),
  watchUrl: urlRow({ env: 'RIVULET_PLUGINS_WATCH_URL', fallback: 'http://127.0.0.1:7103', doc: 'Where the history of a channel is read: fanout, or the one origin.' }),
  childUid: integerRow({ env: 'RIVULET_PLUGINS_UID', fallback: 65_534, min: 1, max: 4_294_967_294, doc: 'User that plugins run as when the host is root; never root. A host that is not root runs them as itself.' }),
  childGid: integerRow({ env: 'RIVULET_PLUGINS_GID', fallback: 65_534, min: 1, max: 4_294_967_294, doc: 'Group that plugins run as when the host is root.' }),
  memoryMb: integerRow({ env: 'RIVULET_PLUGINS_MEMORY_MB', fallback: 256, min: 32, max: 16_384, doc: 'Heap of a plugin that asks for none, MiB.' }),
  memoryMbMax: integerRow({ env: 'RIVULET_PLUGINS_MEMORY_MB_MAX', fallback: 1_024, min: 32, max: 16_384, doc: 'Largest heap a plugin may ask for, MiB.' }),
  concurrencyMax: integerRow({ env: 'RIVULET_PLUGINS_CONCURRENCY_MAX', fallback: 256, min: 1, max: 10_000, doc: 'Answers of one plugin at once on this host, also when the plugin allows more. What is above waits.' }),
  waitingMax: integerRow({ env: 'RIVULET_PLUGINS_WAITING_MAX', fallback: 1_000, min: 0, max: 100_000, doc: 'Requests of one plugin that may wait on this host; above it new ones are OVERLOADED.' }),
  inputBytesMax: integerRow({ env: 'RIVULET_PLUGINS_INPUT_BYTES_MAX', fallback: 262_144, min: 1_024, max: 524_288, doc: 'Largest input of a request, bytes of JSON.' }),
  streamLeaseMs: integerRow({ env: 'RIVULET_PLUGINS_LEASE_MS', fallback: 5_000, min: 1_000, max: 600_000, doc: 'Lease of the streams of requests, ms: a host that died is replaced within it and 2 s. Above RIVULET_SESSION_TIMEOUT_MS.' }),
  startMsMax: integerRow({ env: 'RIVULET_PLUGINS_START_MS_MAX', fallback: 15_000, min: 100, max: 300_000, doc: 'A plugin that has not loaded after this long is START_FAILED, ms.' }),
  pingMs: integerRow({ env: 'RIVULET_PLUGINS_PING_MS', fallback: 1_000, min: 20, max: 60_000, doc: 'Time between two pings of a plugin\'s process, ms.' }),
  hungMsMax: integerRow({ env: 'RIVULET_PLUGINS_HUNG_MS_MAX', fallback: 5_000, min: 100, max: 600_000, doc: 'A plugin whose process answers no ping for this long hangs and is killed, ms.' }),
  restartMs: integerRow({ env: 'RIVULET_PLUGINS_RESTART_MS', fallback: 250, min: 10, max: 60_000, doc: 'First wait before a crashed plugin is started again, ms; doubled each time.' }),
  restartMsMax: integerRow({ env: 'RIVULET_PLUGINS_RESTART_MS_MAX', fallback: 30_000, min: 10, max: 3_600_000, doc: 'Longest of these waits, ms.' }),
  crashesMax: integerRow({ env: 'RIVULET_PLUGINS_CRASHES_MAX', fallback: 5, min: 1, max: 100, doc: 'Crashes within RIVULET_PLUGINS_CRASH_WINDOW_MS after which a plugin is left alone for that long (CRASH_LOOP).' }),
  crashWindowMs: integerRow({ env: 'RIVULET_PLUGINS_CRASH_WINDOW_MS', fallback: 60_000, min: 100, max: 3_600_000, doc: 'Time in which crashes are counted, and the pause of a crash loop, ms.' }),
  reloadMs: integerRow({ env: 'RIVULET_PLUGINS_RELOAD_MS', fallback: 300, min: 10, max: 60_000, doc: 'How long a changed plugin must be left alone before it is loaded again, ms.' }),
  logLinesMax: integerRow({ env: 'RIVULET_PLUGINS_LOG_LINES_MAX', fallback: 500, min: 10, max: 100_000, doc: 'Newest lines kept of each plugin\'s log.' }),
  reportMs: integerRow({ env: 'RIVULET_PLUGINS_REPORT_MS', fallback: 2_000, min: 50, max: 60_000, doc: 'Time between two reports of a host, ms; one that misses three is HOST_SILENT.' }),
  allocatorMsMax: integerRow({ env: 'RIVULET_PLUGINS_ALLOCATOR_MS_MAX', fallback: 8_000, min: 100, max: 120_000, doc: 'A call of the allocator that is not answered after this long is ALLOCATOR_UNAVAILABLE, ms.' }),
  finishMsMax: integerRow({ env: 'RIVULET_PLUGINS_FINISH_MS_MAX', fallback: 5_000, min: 0, max: 600_000, doc: 'Time running answers get when the process stops, ms; then another host goes on. Below RIVULET_DRAIN_MS_MAX.' }),
  finalStreamsMax: integerRow({ env: 'RIVULET_PLUGINS_FINAL_STREAMS_MAX', fallback: 10_000, min: 100, max: 1_000_000, doc: 'Final streams of plugins kept in memory, for the history of channels.' }),
} as const;

export type PluginsConfig = ConfigOf<typeof pluginsRows> & ServiceConfig;
export const allPluginsRows = { ...serviceRows, ...pluginsRows };
export const PLUGINS_PREFIX = 'RIVULET_PLUGINS_';

/** @throws ConfigError listing every problem with its remedy */
export function readPluginsConfig(env: NodeJS.ProcessEnv): PluginsConfig {
  return readConfig(allPluginsRows, env, PLUGINS_PREFIX);
}
