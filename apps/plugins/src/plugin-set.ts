import path from 'node:path';
import type { Logger } from 'pino';
import { AnswerTurns } from './answer-turns';
import type { PluginsConfig } from './config';
import { scanFolder } from './plugin-folder';
import type { FolderEntry } from './plugin-folder';
import type { PluginFault, PluginState } from './plugin-faults';
import { PluginHost } from './plugin-host';
import type { PluginSource, Program } from './plugin-host';
import { PluginLog } from './plugin-log';
import { shippedManifest } from './shipped';

/** The configuration of a plugin, or why there is none that can be used. */
export type Settings = { value: unknown; fault?: undefined } | { fault: PluginFault; value?: undefined };
/** What is being done about an installed plugin that does not run yet, or not in the version that is wanted. */
export interface Standing { state: 'fetching' | 'verifying'; version: string; packageDigest: string; fault: PluginFault | null }
/** One plugin as it stands on this host. */
export interface OwnPlugin {
  name: string; version: string; digest: string; packageDigest: string; state: PluginState; fault: PluginFault | null;
  host: PluginHost | undefined;
}

/**
 * The plugins of this host: those that ship, those that are installed, and those of the folder, in this order when two have one name. The
 * folder is looked at again and again, not watched: a look also sees a chmod, a mounted volume and a file that was replaced by renaming.
 * What has changed is loaded again once it has been left alone.
 */
export class PluginSet {
  private readonly hosts = new Map<string, PluginHost>();
  /** What runs, or would if it were not disabled. */
  private readonly sources = new Map<string, PluginSource>();
  private readonly disabled = new Set<string>();
  private readonly faults = new Map<string, PluginFault>();
  private readonly standing = new Map<string, Standing>();
  private readonly logs = new Map<string, PluginLog>();
  private readonly listeners = new Set<() => void>();
  private readonly turnsOf = new Map<string, AnswerTurns>();
  private marks = new Map<string, string>();
  private changedAt = new Map<string, { mark: string; at: number }>();
  private timer: NodeJS.Timeout | null = null;
  private hasBegun = false;

  /** @param paths plugins that lie elsewhere than in the folder of plugins, one each */
  constructor(
    private readonly config: PluginsConfig, private readonly program: Program, private readonly logger: Logger,
    private readonly paths: readonly string[] = [],
    private readonly settingsOf: (name: string) => Settings = (name) => ({ value: config.settings[name] }),
  ) {}

  /** Whether it has been told to start: before, nothing is known here, and nothing unknown. */
  get isStarted(): boolean {
    return this.hasBegun;
  }

  start(): void {
    this.hasBegun = true;
    for (const name of this.config.shipped) this.startShipped(name);
    if (this.config.pluginsDir !== '' || this.paths.length > 0) {
      this.look(true);
      this.timer = setInterval(() => this.look(false), this.config.reloadMs);
    }
    this.changed();
  }

  host(name: string): PluginHost | undefined {
    return this.hosts.get(name);
  }

  /** Also of one that is disabled. */
  source(name: string): PluginSource | undefined {
    return this.sources.get(name);
  }

  log(name: string): PluginLog | undefined {
    return this.logs.get(name);
  }

  all(): PluginHost[] {
    return [...this.hosts.values()];
  }

  /** Everything there is to say, one for each name. */
  own(): OwnPlugin[] {
    const names = new Set([...this.hosts.keys(), ...this.sources.keys(), ...this.standing.keys(), ...this.faults.keys()]);
    return [...names].map((name) => this.ownOf(name));
  }

  ownOf(name: string): OwnPlugin {
    const host = this.hosts.get(name);
    const source = this.sources.get(name);
    const standing = this.standing.get(name);
    const fault = this.faults.get(name) ?? standing?.fault ?? host?.fault ?? null;
    const state = fault?.code ?? (this.disabled.has(name) ? 'disabled' : host?.state ?? standing?.state ?? 'starting');
    const shown = standing?.fault || !host ? standing ?? source : { version: host.version, packageDigest: host.source.packageDigest };
    return { name, version: shown?.version ?? '', digest: host?.digest ?? '', packageDigest: shown?.packageDigest ?? '', state, fault, host };
  }

  /** Whether there is anything to say of it. */
  knows(name: string): boolean {
    return [this.sources, this.standing, this.faults].some((known) => known.has(name));
  }

  turns(name: string): AnswerTurns {
    let turns = this.turnsOf.get(name);
    if (!turns) {
      turns = new AnswerTurns(() => Math.min(this.hosts.get(name)?.facts?.limits.concurrency ?? 1, this.config.concurrencyMax));
      this.turnsOf.set(name, turns);
    }
    return turns;
  }

  /** After anything about any plugin has changed. */
  onChange(listener: () => void): void {
    this.listeners.add(listener);
  }

  close(): void {
    if (this.timer) clearInterval(this.timer);
    for (const host of this.hosts.values()) host.close();
  }

  /** Runs what is installed, in place of what ran of it. */
  install(source: PluginSource): void {
    const other = this.sources.get(source.name);
    this.standing.delete(source.name);
    if (other?.isOurs) {
      return this.break(`${source.name} (installed)`, {
        code: 'START_FAILED', detail: `${source.name} ${source.version} is installed, and a plugin that comes with Rivulet is called so too; that one runs.`,
        remedy: `Uninstall it, or take ${source.name} out of RIVULET_PLUGINS_SHIPPED.`,
      });
    }
    this.run(source);
    if (other && other.packageDigest === undefined) this.hideFolder(source.name);
  }

  /** What is installed goes; a plugin of the folder with its name may run again. */
  uninstall(name: string): void {
    this.faults.delete(`${name} (installed)`);
    this.standing.delete(name);
    if (this.sources.get(name)?.packageDigest !== undefined) {
      this.stop(name);
      this.sources.delete(name);
      this.logs.delete(name);
      this.faults.delete(name);
      this.faults.delete(`${name} (folder)`);
      this.marks.delete(name);
    }
    this.changed();
  }

  /** What is being done about one that is installed, null: nothing more. What ran of it before goes on running. */
  stand(name: string, standing: Standing | null): void {
    if (standing?.fault) this.logger.warn({ plugin: name, code: standing.fault.code, detail: standing.fault.detail }, 'an installed plugin is not here yet');
    if (standing) this.standing.set(name, standing);
    else if (!this.standing.delete(name)) return;
    this.changed();
  }

  setEnabled(name: string, isEnabled: boolean): void {
    if (isEnabled === !this.disabled.has(name)) return;
    this.logger.info({ plugin: name, isEnabled }, 'a plugin is enabled or disabled');
    if (isEnabled) this.disabled.delete(name);
    else {
      this.disabled.add(name);
      this.stop(name);
    }
    this.startAgain(name);
  }

  /** With the configuration it has now. */
  startAgain(name: string): void {
    const source = this.sources.get(name);
    if (source) this.run(source);
    else this.changed();
  }

  private startShipped(name: string): void {
    const manifest = shippedManifest(name);
    if (manifest) {
      const { folder, main, version } = manifest;
      return this.run({ name, folder, file: path.join(folder, this.program.shippedMain ?? main), isOurs: true, version });
    }
    this.break(name, {
      code: 'MISSING_ON_HOST', detail: 'It does not come with this installation.',
      remedy: `Take ${name} out of RIVULET_PLUGINS_SHIPPED, or install @rivulet/plugin-${name} beside the host.`,
    });
  }

  private look(isFirst: boolean): void {
    const entries = scanFolder(this.config.pluginsDir, this.paths);
    const names = new Set(entries.map(({ name }) => name));
    for (const name of [...this.marks.keys()]) if (!names.has(name)) this.remove(name);
    const now = performance.now();
    for (const entry of entries) {
      if (this.marks.get(entry.name) === entry.mark) continue;
      const seen = this.changedAt.get(entry.name);
      // Debounced: an editor, a copy or an unpacking writes more than once.
      if (!isFirst && (seen?.mark !== entry.mark || now - seen.at < this.config.reloadMs)) {
        if (seen?.mark !== entry.mark) this.changedAt.set(entry.name, { mark: entry.mark, at: now });
        continue;
      }
      this.changedAt.delete(entry.name);
      this.marks.set(entry.name, entry.mark);
      this.load(entry);
    }
  }

  private load(entry: FolderEntry): void {
    const other = this.sources.get(entry.name);
    if (other?.isOurs) {
      return this.break(`${entry.name} (folder)`, {
        code: 'START_FAILED', detail: `A plugin that comes with Rivulet is called ${entry.name} too.`, remedy: `Rename one, or take ${entry.name} out of RIVULET_PLUGINS_SHIPPED.`,
      });
    }
    if (other?.packageDigest !== undefined) return this.hideFolder(entry.name);
    if (!entry.source) {
      this.stop(entry.name);
      this.sources.delete(entry.name);
      return this.break(entry.name, entry.fault);
    }
    this.run(entry.source);
  }

  private hideFolder(name: string): void {
    this.break(`${name} (folder)`, {
      code: 'START_FAILED', detail: `${name} is in the folder of plugins of this host, and it is installed for all hosts; the installed one runs.`,
      remedy: `Remove it from the folder, or uninstall ${name}: DELETE /v1/admin/plugins/${name}.`,
    });
  }

  private run(source: PluginSource): void {
    const { name } = source;
    this.stop(name);
    this.sources.set(name, source);
    this.faults.delete(name);
    const settings = this.settingsOf(name);
    if (settings.fault) return this.break(name, settings.fault);
    if (!this.disabled.has(name)) {
      this.logger.info({ plugin: name, file: source.file, version: source.version }, 'a plugin is loaded');
      const log = this.logs.get(name) ?? new PluginLog(this.config.logLinesMax);
      this.logs.set(name, log);
      this.hosts.set(name, new PluginHost(source, settings.value, this.config, this.program, this.logger, () => this.changed(), log));
    }
    this.changed();
  }

  private stop(name: string): void {
    this.hosts.get(name)?.close();
    this.hosts.delete(name);
  }

  private remove(name: string): void {
    this.marks.delete(name);
    this.faults.delete(`${name} (folder)`);
    const source = this.sources.get(name);
    if (source?.isOurs !== true && source?.packageDigest === undefined) {
      this.faults.delete(name);
      this.stop(name);
      this.sources.delete(name);
      this.logs.delete(name);
    }
    this.changed();
  }

  private break(name: string, fault: PluginFault): void {
    this.logger.warn({ plugin: name, code: fault.code, detail: fault.detail }, 'an entry is no plugin that can run');
    this.faults.set(name, fault);
    this.changed();
  }

  private changed(): void {
    for (const listener of this.listeners) listener();
  }
}
