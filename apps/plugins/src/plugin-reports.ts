import { Table } from '@rivulet/log';
import type { Appender, Log } from '@rivulet/log';
import type { Logger } from 'pino';
import type { Desired } from './desired';
import { matrixOf } from './plugin-matrix';
import type { ShownRow } from './plugin-matrix';
import type { ConfigSource } from './plugin-configs';
import { ANSWERS_MAX, decodeReport, encodeReport, reportKey } from './plugin-report';
import type { AnswerRow, HostReport, PluginReport, Report } from './plugin-report';
import { isStoreKey } from './plugin-records';
import type { PluginSet } from './plugin-set';

interface ReportsParts {
  log: Log;
  topic: string;
  host: string;
  instance: string;
  reportMs: number;
  plugins: PluginSet;
  /** What is desired, by plugin. */
  installed: () => ReadonlyMap<string, Desired>;
  configOf: (plugin: string) => ConfigSource;
  partitions: () => readonly number[];
  answering: () => number;
  /** Oldest first. */
  answers: () => readonly AnswerRow[];
  logger: Logger;
}
interface Entry { key: string; value: Report | null }

/** A host that misses so many reports is silent; after so much longer its rows are taken off the list. */
const MISSED_MAX = 3;
const FORGET_MS = 600_000;
/** The newest changes of a burst leave together. */
const SETTLE_MS = 50;

/** What every host says of its plugins, in a compacted topic that every host folds: any of them can show all. */
export class PluginReports {
  private readonly table: Table<Report>;
  private readonly appender: Appender<Entry>;
  private readonly timer: NodeJS.Timeout;
  /** Monotonic ms of the last word of each host, as it came here: clocks of hosts need not agree. */
  private readonly heardAt = new Map<string, number>();
  private readonly told = new Map<string, string>();
  private settling: NodeJS.Timeout | null = null;
  private readonly listeners = new Set<() => void>();
  private isClosed = false;

  constructor(private readonly parts: ReportsParts) {
    const { log, topic, plugins, reportMs, logger } = parts;
    this.table = new Table<Report>({
      log, topic, partitions: [0], decode: (key, value) => (isStoreKey(key) ? null : decodeReport(value)), isNewer: () => true,
      onUndecodable: ({ key, offset }, _, err) => logger.error({ key, offset, err }, 'a report of a plugin host cannot be read; skipped'),
    });
    this.table.onChange((_key, report, previous) => {
      if (report) this.heardAt.set(report.host, performance.now());
      if (report?.kind !== 'host' || previous === undefined) for (const listener of this.listeners) listener();
    });
    this.appender = log.appender<Entry>({
      topic, class: 'control', queueBytesMax: 4 * 1024 * 1024, batchBytesMax: 512 * 1024, batchEntriesMax: 500, deadlineMs: 10_000,
      encode: (entries) => entries.map(({ key, value }) => ({ key, value: value && encodeReport(value), entries: 1 })),
    });
    plugins.onChange(() => { this.settling ??= setTimeout(() => this.report(), SETTLE_MS); });
    this.timer = setInterval(() => this.tick(), reportMs);
    this.report();
  }

  get isReady(): boolean {
    return this.table.isReady;
  }

  /** After any host has said something new of a plugin. */
  onChange(listener: () => void): void {
    this.listeners.add(listener);
  }

  /** What is known of a plugin from hosts that have it running, this one or another. */
  running(plugin: string): PluginReport[] {
    const silent = this.silentHosts();
    return this.pluginReports().filter((one) => one.plugin === plugin && one.state === 'running' && !silent.has(one.host));
  }

  /** Partitions of requests of hosts where the plugin runs. */
  partitionsOf(plugin: string): number[] {
    const hosts = new Set(this.running(plugin).map(({ host }) => host));
    return this.hostReports().filter(({ host }) => hosts.has(host)).flatMap(({ partitions }) => partitions);
  }

  /** This host and those that report, in order. */
  liveHosts(): string[] {
    const silent = this.silentHosts();
    const others = this.hostReports().map(({ host }) => host).filter((host) => !silent.has(host));
    return [...new Set([this.parts.host, ...others])].sort();
  }

  /** Monotonic ms of the last word of a host as it came here; 0: none yet. */
  heardOf(host: string): number {
    return this.heardAt.get(host) ?? 0;
  }

  /** What a host says of a plugin. */
  reportOf(plugin: string, host: string): PluginReport | undefined {
    return this.pluginReports().find((one) => one.plugin === plugin && one.host === host);
  }

  rows(): ShownRow[] {
    const ages = this.agesMs();
    return matrixOf(this.pluginReports(), this.hostReports(), this.silentHosts(), this.parts.installed())
      .map((row) => ({ ...row, heardAt: Date.now() - Math.round(ages.get(row.host) ?? 0) }));
  }

  /** Since the last word of each host came here, ms; of this host too, whose word goes through the log as theirs does. */
  agesMs(): Map<string, number> {
    const now = performance.now();
    return new Map(this.hostReports().map(({ host }) => [host, now - (this.heardAt.get(host) ?? now)]));
  }

  /** What the hosts answer by a plugin, as they said last; of this one as it is now. */
  answersOf(plugin: string): (AnswerRow & { host: string; at: number })[] {
    const silent = this.silentHosts();
    const { host: own, answers } = this.parts;
    const others = this.hostReports().filter(({ host }) => host !== own && !silent.has(host));
    return [...others, { host: own, at: Date.now(), answers: answers().slice(-ANSWERS_MAX) }]
      .flatMap(({ host, at, answers: rows }) => rows.filter((row) => row.plugin === plugin).map((row) => ({ host, at, ...row })));
  }

  /** What this host said is taken back: one that stops in order is not silent. */
  async withdraw(): Promise<void> {
    this.isClosed = true;
    clearInterval(this.timer);
    if (this.settling) clearTimeout(this.settling);
    const own = [...this.table.entries()].filter(([, { host }]) => host === this.parts.host).map(([key]) => key);
    for (const key of new Set([...own, ...this.told.keys()])) this.append(key, null);
    await this.appender.flush();
  }

  async close(): Promise<void> {
    await this.table.close();
    await this.appender.close();
  }

  private tick(): void {
    const { host, instance, reportMs, partitions, answering, answers } = this.parts;
    const beat: HostReport = {
      kind: 'host', host, instance, at: Date.now(), reportMs, partitions: [...partitions()], answering: answering(), answers: answers().slice(-ANSWERS_MAX),
    };
    this.append(reportKey(beat), beat);
    this.report();
    for (const [other, at] of this.heardAt) {
      if (performance.now() - at < FORGET_MS) continue;
      this.heardAt.delete(other);
      for (const [key, { host: owner }] of this.table.entries()) if (owner === other) this.append(key, null);
    }
  }

  /** Writes what has changed since it was last written. */
  private report(): void {
    this.settling = null;
    if (this.isClosed) return;
    const reports = new Map(this.own().map((one) => [reportKey(one), one]));
    for (const [key, one] of reports) {
      const { at: _, ...said } = one;
      const text = JSON.stringify(said);
      if (this.told.get(key) === text) continue;
      this.told.set(key, text);
      this.append(key, one);
    }
    const gone = [...this.table.entries()]
      .filter(([key, one]) => one.kind === 'plugin' && one.host === this.parts.host && !reports.has(key)).map(([key]) => key);
    for (const key of gone) {
      this.told.delete(key);
      this.append(key, null);
    }
  }

  private own(): PluginReport[] {
    const { host, plugins, configOf } = this.parts;
    const at = Date.now();
    return plugins.own().map(({ name, version, digest, packageDigest, state, fault, host: one }): PluginReport => ({
      kind: 'plugin', host, plugin: name, version, digest, packageDigest, state, fault, restarts: one?.restarts ?? 0, at, hooks: [...(one?.hooks ?? [])],
      stream: one?.facts?.stream ?? null, config: configOf(name),
    }));
  }

  private append(key: string, value: Report | null): void {
    this.appender.append(0, { key, value }, value ? JSON.stringify(value).length : key.length).catch((err: unknown) => {
      this.told.delete(key);
      this.parts.logger.warn({ key, err }, 'a report could not be written; it is tried again');
    });
  }

  private silentHosts(): Set<string> {
    const now = performance.now();
    return new Set(this.hostReports().filter(({ host, reportMs }) =>
      host !== this.parts.host && now - (this.heardAt.get(host) ?? 0) > MISSED_MAX * reportMs).map(({ host }) => host));
  }

  private pluginReports(): PluginReport[] {
    return [...this.table.values()].filter((one) => one.kind === 'plugin');
  }

  private hostReports(): HostReport[] {
    return [...this.table.values()].filter((one) => one.kind === 'host');
  }
}
