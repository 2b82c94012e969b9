import { randomUUID } from 'node:crypto';
import { StreamError } from '@rivulet/protocol';
import type { PluginsConfig } from './config';
import { ConfigSecrets, isSealed, mapAt, mapSealed, MASK, SealProblem, segmentsOf } from './config-secrets';
import { textsIn } from './plugin-host';
import type { Program } from './plugin-host';
import { probe } from './plugin-probe';
import type { PluginSet, Settings } from './plugin-set';
import type { PluginStore } from './plugin-store';

interface ConfigsParts { store: PluginStore; config: PluginsConfig; program: Program }
export type ConfigSource = 'stored' | 'environment' | 'none';
/** What GET and PUT /v1/admin/plugins/:name/config answer. */
export interface ConfigView {
  name: string; source: ConfigSource;
  /** Secrets masked. */
  settings: unknown;
  secrets: readonly string[];
  /** Of the keys its secrets are encrypted with; more than one, or another than the newest: PUT it again. */
  keyIds: readonly string[];
  by: string | null; at: number | null;
}

const SETTINGS_BYTES_MAX = 65_536;

/** Configurations of plugins. One that is stored in the log counts for all hosts; without one, each host's environment. */
export class PluginConfigs {
  private readonly secrets: ConfigSecrets;

  constructor(private readonly parts: ConfigsParts) {
    this.secrets = new ConfigSecrets(parts.config.configKeys);
  }

  sourceOf(plugin: string): ConfigSource {
    if (this.parts.store.config(plugin)) return 'stored';
    return this.parts.config.settings[plugin] === undefined ? 'none' : 'environment';
  }

  /** In clear, for the process of the plugin and nobody else. */
  settingsOf(plugin: string): Settings {
    const { store, config } = this.parts;
    const stored = store.config(plugin);
    if (!stored) return { value: config.settings[plugin] };
    try {
      return { value: this.secrets.open(plugin, stored.settings) };
    } catch (error) {
      if (!(error instanceof SealProblem)) throw error;
      return {
        fault: {
          code: 'CONFIG_INVALID', detail: `The stored configuration cannot be read: ${error.message}.`,
          remedy: `Give this host the key in RIVULET_PLUGINS_CONFIG_KEY, as the others have it, or PUT /v1/admin/plugins/${plugin}/config anew.`,
        },
      };
    }
  }

  /** @throws StreamError PLUGIN_NOT_FOUND */
  view(plugin: string, plugins: PluginSet): ConfigView {
    const { store, config } = this.parts;
    const stored = store.config(plugin);
    if (!stored && !plugins.knows(plugin)) throw new StreamError('PLUGIN_NOT_FOUND', { plugin });
    if (stored) {
      const keyIds = new Set<string>();
      const settings = mapSealed(stored.settings, ({ keyId }) => {
        keyIds.add(keyId);
        return MASK;
      });
      return { name: plugin, source: 'stored', settings, secrets: stored.secrets, keyIds: [...keyIds], by: stored.by, at: stored.at };
    }
    const secrets = plugins.host(plugin)?.secrets ?? null;
    const given = config.settings[plugin];
    // Before it has loaded, nobody knows which fields are secret: then every text may be.
    const settings = secrets ? secrets.reduce((value, field) => mapAt(value, segmentsOf(field), () => MASK), given) : masked(given);
    return {
      name: plugin, source: this.sourceOf(plugin), settings: settings ?? null, secrets: secrets ?? [], keyIds: [], by: null, at: null,
    };
  }

  /**
   * Checked by the plugin's own schema, in a process of its own; then its secrets are encrypted, and only then it leaves this host.
   * @throws StreamError PLUGIN_NOT_FOUND, OPTIONS_INVALID (which field), PLUGIN_CONFLICT (no key), PLUGIN_FAILED, LOG_UNAVAILABLE
   */
  async put(plugin: string, given: unknown, by: string, plugins: PluginSet): Promise<ConfigView> {
    const { store, config, program } = this.parts;
    const source = plugins.source(plugin);
    if (!source) throw new StreamError('PLUGIN_NOT_FOUND', { plugin });
    if (given === undefined || Buffer.byteLength(JSON.stringify(given)) > SETTINGS_BYTES_MAX) {
      throw new StreamError('OPTIONS_INVALID', { detail: `The body is the configuration as JSON, at most ${SETTINGS_BYTES_MAX} bytes.` });
    }
    mapSealed(given, () => { throw new StreamError('OPTIONS_INVALID', { option: '$secret', detail: 'Give secrets in clear, or as [secret] when they stay as they are.' }); });
    const value = this.unmasked(plugin, given, plugins);
    const { loaded, fault } = await probe(source, { value, hidden: textsIn(value) }, config, program);
    if (fault) {
      const { code, detail, field } = fault;
      if (code === 'CONFIG_INVALID') throw new StreamError('OPTIONS_INVALID', { plugin, option: field ?? '', fault: code, detail });
      throw new StreamError('PLUGIN_FAILED', { plugin, pluginCode: code, detail });
    }
    const { secrets } = loaded;
    for (const field of secrets) mapAt(value, segmentsOf(field), (secret, path) => this.admitSecret(plugin, secret, path));
    await store.writeConfig({ kind: 'config', plugin, settings: this.secrets.seal(plugin, value, secrets), secrets, id: randomUUID(), by, at: Date.now() });
    return this.view(plugin, plugins);
  }

  /** With the secrets of now where the mask stands for them. */
  private unmasked(plugin: string, given: unknown, plugins: PluginSet): unknown {
    const known = this.parts.store.config(plugin)?.secrets ?? plugins.host(plugin)?.secrets ?? [];
    const now = new Map<string, unknown>();
    const { value } = this.settingsOf(plugin);
    for (const field of known) {
      mapAt(value, segmentsOf(field), (secret, path) => {
        now.set(path, secret);
        return secret;
      });
    }
    const unmask = (secret: unknown, path: string): unknown => (secret === MASK ? now.get(path) ?? secret : secret);
    return known.reduce<unknown>((settings, field) => mapAt(settings, segmentsOf(field), unmask), given);
  }

  private admitSecret(plugin: string, secret: unknown, path: string): unknown {
    if (secret === MASK) throw new StreamError('OPTIONS_INVALID', { plugin, option: path, detail: `${path}: no secret is stored that ${MASK} could stand for. Give it in clear.` });
    if (!this.secrets.hasKey && !isSealed(secret)) {
      throw new StreamError('PLUGIN_CONFLICT', { plugin, option: path, detail: `${path} is secret, and this host has no key to encrypt it with. Make one with \`openssl rand -hex 32\` and give all hosts the same RIVULET_PLUGINS_CONFIG_KEY.` });
    }
    return secret;
  }
}

function masked(value: unknown): unknown {
  if (typeof value === 'string') return MASK;
  if (Array.isArray(value)) return value.map(masked);
  return typeof value === 'object' && value !== null ? Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, masked(inner)])) : value;
}
