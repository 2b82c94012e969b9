import path from 'node:path';
import { buildPlugins, readPluginsConfig } from '@rivulet/plugins';
import type { BuiltPlugins, PluginFault, PluginsParts, PluginState } from '@rivulet/plugins';
import { StreamError } from '@rivulet/protocol';
import type { ErrorCode } from '@rivulet/protocol';

export interface PluginOptions {
  /** One plugin each, wherever it lies: a folder with a package.json, or a .js, .cjs or .mjs file. What changes is loaded again. */
  paths?: string[];
  /** A folder of plugins, as RIVULET_PLUGINS_DIR. */
  dir?: string;
  /** Of those that come with Rivulet: echo, ticker, file, ai-chat. Default: none. */
  shipped?: string[];
  /** Configurations by plugin name, as RIVULET_PLUGINS_CONFIG. */
  config?: Record<string, unknown>;
  /**
   * Told of every plugin when it starts, runs or gets a fault, also later. With it a plugin with a fault does not stop the start: it waits
   * to be mended.
   */
  onChange?: (plugin: PluginStatus) => void;
}

/** One plugin on the host in this process. */
export interface PluginStatus {
  plugin: string;
  /** '' while it is not known. */
  version: string;
  /** Of its files; '' while it is not known. */
  digest: string;
  /** The code of the fault when there is one. */
  state: PluginState;
  fault: PluginFault | null;
}

export interface AskOptions {
  channel?: string;
  metadata?: Record<string, unknown>;
}
export interface AskedStream {
  streamNo: string;
  /** For whoever may read this stream and nothing else. */
  readToken: string;
}

/** The plugin host beside the other apps, its process the same, the plugins' processes their own as ever. */
export function startPlugins(
  parts: Omit<PluginsParts, 'config' | 'paths'>, options: PluginOptions, env: NodeJS.ProcessEnv, url: string,
): BuiltPlugins {
  const { dir, shipped, config, paths = [] } = options;
  const settings = {
    RIVULET_PLUGINS_SHIPPED: ' ',
    // Several in one process are several hosts.
    RIVULET_PLUGINS_HOST_NAME: `standalone-${parts.frame.instance}`,
    RIVULET_PLUGINS_REPORT_MS: '500',
    RIVULET_PLUGINS_RELOAD_MS: '100',
    // Nothing outlives this process: what is being answered when it stops is not finished for anyone.
    RIVULET_PLUGINS_FINISH_MS_MAX: '0',
    ...env,
    ...(dir === undefined ? {} : { RIVULET_PLUGINS_DIR: path.resolve(dir) }),
    ...(shipped === undefined ? {} : { RIVULET_PLUGINS_SHIPPED: shipped.join(',') || ' ' }),
    ...(config === undefined ? {} : { RIVULET_PLUGINS_CONFIG: JSON.stringify(config) }),
    RIVULET_PLUGINS_INGEST_URL: url,
    RIVULET_PLUGINS_WATCH_URL: url,
  };
  return buildPlugins({ ...parts, config: readPluginsConfig(settings), paths: paths.map((one) => path.resolve(one)) });
}

const UNDER_WAY: readonly PluginState[] = ['fetching', 'verifying', 'starting'];

/**
 * Resolves when every plugin runs, or has a fault that somebody is told of.
 * @throws Error with every fault and its remedy, unless there is an onChange
 */
export async function untilPluginsRun({ plugins }: BuiltPlugins, { onChange }: PluginOptions): Promise<void> {
  const told = new Map<string, string>();
  await new Promise<void>((resolve) => {
    const look = (): void => {
      const all = statusOf(plugins);
      for (const one of all) {
        const text = JSON.stringify(one);
        if (told.get(one.plugin) === text) continue;
        told.set(one.plugin, text);
        onChange?.(one);
      }
      if (plugins.isStarted && all.every(({ state }) => !UNDER_WAY.includes(state))) resolve();
    };
    plugins.onChange(look);
    look();
  });
  const broken = statusOf(plugins).filter(({ fault }) => fault !== null);
  if (broken.length > 0 && !onChange) throw new Error(broken.map(textOf).join('\n'));
}

function statusOf(plugins: BuiltPlugins['plugins']): PluginStatus[] {
  return plugins.own().map(({ name: plugin, version, digest, state, fault }) => ({ plugin, version, digest, state, fault }));
}

function textOf({ plugin, fault }: PluginStatus): string {
  // There is no host to restart here.
  const remedy = fault?.code === 'CONFIG_INVALID' ? `Give ${plugin} its configuration: startRivulet({ plugins: { config: { '${plugin}': … } } }).` : fault?.remedy;
  return `The plugin ${plugin} does not run: ${fault?.code}: ${fault?.detail}\n  ${remedy}`;
}

/** @throws StreamError as POST /v1/plugins/:name/requests answers */
export async function askPlugin(
  { url, apiKey }: { url: string; apiKey: string }, plugin: string, input: unknown, options: AskOptions,
): Promise<AskedStream> {
  const response = await fetch(`${url}/v1/plugins/${encodeURIComponent(plugin)}/requests`, {
    method: 'POST', headers: { authorization: `Bearer ${apiKey}`, 'content-type': 'application/json' }, body: JSON.stringify({ ...options, input }),
  });
  const body = await response.json() as AskedStream & { code: ErrorCode; detail?: string };
  if (!response.ok) throw new StreamError(body.code, { plugin, ...(body.detail === undefined ? {} : { detail: body.detail }) });
  return body;
}
