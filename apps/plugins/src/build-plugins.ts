import { hostname, tmpdir } from 'node:os';
import path from 'node:path';
import type { Log } from '@rivulet/log';
import { topicNames } from '@rivulet/protocol';
import type { AllocatorPort, Frame } from '@rivulet/service';
import { buildBound } from './build-bound';
import { ChannelHistory } from './channel-history';
import type { PluginsConfig } from './config';
import { InstalledPlugins } from './installed-plugins';
import { PackageFolders } from './package-folders';
import { PackageInstaller } from './package-installer';
import { PluginChanges } from './plugin-changes';
import { PluginConfigs } from './plugin-configs';
import type { Program } from './plugin-host';
import { AnswerMetrics, showPluginGauges } from './plugin-metrics';
import { PluginReports } from './plugin-reports';
import { PluginSet } from './plugin-set';
import { PluginStore } from './plugin-store';
import { RequestDesk } from './request-desk';
import { Requests } from './requests';
import { firstHostOf } from './rollout';
import { RolloutLeader } from './rollout-leader';
import { StreamFacts } from './stream-facts';

export interface PluginsParts {
  frame: Frame;
  log: Log;
  config: PluginsConfig;
  allocator: AllocatorPort;
  /** The program of a plugin's process: tests run it from source. */
  program?: Program;
  /** Plugins that lie elsewhere than in the folder of plugins, one each: of a developer, whose folder has other things beside it. */
  paths?: readonly string[];
}
export interface BuiltPlugins {
  frame: Frame;
  /** Name of this host in the matrix. */
  host: string;
  plugins: PluginSet;
  reports: PluginReports;
  store: PluginStore;
  installer: PackageInstaller;
  changes: PluginChanges;
  configs: PluginConfigs;
  desk: RequestDesk;
  requests: Requests;
}

// The built one, also when the rest runs from source.
const PROGRAM: Program = { program: path.join(__dirname, '..', 'dist', 'plugin-child.js'), nodeArgs: [] };
const JOIN_RETRY_MS = 1_000;
/** For a host to fetch a package it has not, before its plugin starts. */
const FETCH_MS_MAX = 30_000;

/** Wires the plugin host: reads top to bottom as what depends on what. Stopped by frame.drain. */
export function buildPlugins({ frame, log, config, allocator, program = PROGRAM, paths }: PluginsParts): BuiltPlugins {
  const { auth, logger, readiness, drain } = frame;
  const topics = topicNames(config.topicPrefix);
  const host = config.hostName || `${hostname()}:${config.pluginsPort || frame.instance}`;
  const store = new PluginStore({ log, topic: topics.plugins, packageBytesMax: config.packageBytesMax, logger });
  const configs = new PluginConfigs({ store, config, program });
  const plugins = new PluginSet(config, program, logger, paths, (name) => configs.settingsOf(name));
  const facts = new StreamFacts(log, topics.lifecycle, config.finalStreamsMax, (place) => logger.error(place, 'a lifecycle value cannot be read'));
  const history = new ChannelHistory(facts, auth, config.watchUrl);
  const answers = new AnswerMetrics(frame);
  const reports: PluginReports = new PluginReports({
    log, topic: topics.plugins, host, instance: frame.instance, reportMs: config.reportMs, plugins, logger,
    installed: () => new Map(store.allDesired().map((one) => [one.plugin, one])), configOf: (name) => configs.sourceOf(name),
    partitions: () => desk.partitions, answering: () => desk.answering.size,
    answers: () => [...desk.answering.values()].flatMap((answer) => answer?.row ?? []),
  });
  const desk: RequestDesk = new RequestDesk({
    reports, log, topic: topics.requests, facts, plugins, allocator, auth, history, logger, ingestUrl: config.ingestUrl,
    onAnswered: (answered) => answers.answered(answered), onBegun: (plugin, askedAt) => answers.began(plugin, askedAt),
    onAssigned: () => bound.considerAll(),
  });
  const folders = new PackageFolders(path.join(config.storeDir || path.join(tmpdir(), 'rivulet-plugins'), host.replace(/[^\w.-]/g, '_')));
  const installedPlugins = new InstalledPlugins({ host, store, folders, plugins, logger });
  const installer = new PackageInstaller({
    config, program, store, folders, logger, firstHost: (version, digest) => firstHostOf(reports.liveHosts(), version, digest),
  });
  const changes = new PluginChanges({ store, plugins, reports });
  const leader = new RolloutLeader({
    host, store, reports, logger, limits: { rolloutMs: config.rolloutMs, trialMsMax: config.rolloutMs + config.startMsMax + FETCH_MS_MAX },
  });
  const requests = new Requests({ reports, plugins, desk, allocator, auth, config });
  const { bound, ready } = buildBound({ frame, log, topic: topics.requests, config, facts, plugins, desk, requests });

  showPluginGauges(frame, { plugins, reports, desk });
  let hasJoined = false;
  readiness.add('answered-streams', () => (facts.isReady ? null : 'the lifecycle topic is still being read'));
  readiness.add('requests', () => (hasJoined ? null : 'the group of plugin hosts is not joined yet'));
  readiness.add('plugins', () => (store.isReady ? null : 'what is installed is still being read'));
  readiness.add('allocator', () => allocator.whyNotReady());
  // Which of them are disabled, and how they are configured, the log says.
  void store.ready.then(() => {
    if (drain.isDraining) return;
    for (const { plugin, isEnabled } of store.allDesired()) plugins.setEnabled(plugin, isEnabled);
    plugins.start();
    installedPlugins.start();
    leader.start();
    store.onChange((key) => {
      const [kind, plugin] = key.split('/');
      if (kind === 'config' && plugin) plugins.startAgain(plugin);
    });
  });
  const join = (): void => {
    desk.join({
      groupId: `${config.topicPrefix}-plugins`, sessionTimeoutMs: config.sessionTimeoutMs, heartbeatMs: config.heartbeatMs,
    }).then(() => { hasJoined = true; }, (err: unknown) => {
      logger.warn({ err }, 'the group of plugin hosts cannot be joined; tried again');
      if (!drain.isDraining) setTimeout(join, JOIN_RETRY_MS).unref();
    });
  };
  // Before lifecycle is read, every request would look unknown.
  void Promise.all([facts.ready, ready]).then(join);
  drain.add('sessions', 'answers', () => desk.drain(config.finishMsMax));
  drain.add('appends', 'plugins', async () => {
    leader.close();
    installedPlugins.close();
    plugins.close();
    await reports.withdraw();
  });
  drain.add('membership', 'requests', () => desk.shut());
  drain.add('membership', 'store', () => store.close());
  drain.add('membership', 'reports', () => reports.close());
  drain.add('membership', 'streams', () => facts.close());
  return { frame, host, plugins, reports, store, installer, changes, configs, desk, requests };
}
