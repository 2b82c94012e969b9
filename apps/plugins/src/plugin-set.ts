import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { Logger } from 'pino';
import { AnswerTurns } from './answer-turns';
import type { PluginsConfig } from './config';
import { scanFolder } from './plugin-folder';
import type { FolderEntry } from './plugin-folder';
import type { PluginFault } from './plugin-faults';
import { PluginHost } from './plugin-host';
import type { PluginSource, Program } from './plugin-host';

/**
 * The plugins of this host: those that ship, and those of the folder. The folder is looked at again and again, not watched: a look also
 * sees a chmod, a mounted volume and a file that was replaced by renaming. What has changed is loaded again once it has been left alone.
 */
export class PluginSet {
  private readonly hosts = new Map<string, PluginHost>();
  private readonly faults = new Map<string, PluginFault>();
  private readonly listeners = new Set<() => void>();
  private readonly turnsOf = new Map<string, AnswerTurns>();
  private marks = new Map<string, string>();
  private changedAt = new Map<string, { mark: string; at: number }>();
  private timer: NodeJS.Timeout | null = null;

  /** @param paths plugins that lie elsewhere than in the folder of plugins, one each */
  constructor(
    private readonly config: PluginsConfig, private readonly program: Program, private readonly logger: Logger,
    private readonly paths: readonly string[] = [],
  ) {}

  start(): void {
    for (const name of this.config.shipped) this.startShipped(name);
    if (this.config.pluginsDir === '' && this.paths.length === 0) return;
    this.look(true);
    this.timer = setInterval(() => this.look(false), this.config.reloadMs);
  }

  host(name: string): PluginHost | undefined {
    return this.hosts.get(name);
  }

  all(): PluginHost[] {
    return [...this.hosts.values()];
  }

  /** Entries that are no plugins, by name. */
  get broken(): ReadonlyMap<string, PluginFault> {
    return this.faults;
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

  private startShipped(name: string): void {
    try {
      const manifest = require.resolve(`@rivulet/plugin-${name}/package.json`);
      const { main, version } = JSON.parse(readFileSync(manifest, 'utf8')) as { main: string; version: string };
      const folder = path.dirname(manifest);
      this.run({ name, folder, file: path.join(folder, this.program.shippedMain ?? main), isOurs: true, version });
    } catch (error) {
      this.break(name, {
        code: 'MISSING_ON_HOST', detail: `It does not come with this installation: ${(error as Error).message.split('\n')[0]}`,
        remedy: `Take ${name} out of RIVULET_PLUGINS_SHIPPED, or install @rivulet/plugin-${name} beside the host.`,
      });
    }
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
    const shipped = this.hosts.get(entry.name);
    if (shipped?.source.isOurs) {
      return this.break(`${entry.name} (folder)`, {
        code: 'START_FAILED', detail: `A plugin that comes with Rivulet is called ${entry.name} too.`, remedy: `Rename one, or take ${entry.name} out of RIVULET_PLUGINS_SHIPPED.`,
      });
    }
    if (!entry.source) {
      this.hosts.get(entry.name)?.close();
      this.hosts.delete(entry.name);
      return this.break(entry.name, entry.fault);
    }
    this.run(entry.source);
  }

  private run(source: PluginSource): void {
    const before = this.hosts.get(source.name);
    before?.close();
    this.faults.delete(source.name);
    this.logger.info({ plugin: source.name, file: source.file, isAgain: before !== undefined }, 'a plugin is loaded');
    this.hosts.set(source.name, new PluginHost(source, this.config, this.program, this.logger, () => this.changed(), before?.log));
    this.changed();
  }

  private remove(name: string): void {
    this.marks.delete(name);
    this.faults.delete(name);
    this.faults.delete(`${name} (folder)`);
    if (this.hosts.get(name)?.source.isOurs !== true) {
      this.hosts.get(name)?.close();
      this.hosts.delete(name);
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
