import type { Log } from '@rivulet/log';
import type { Frame } from '@rivulet/service';
import { BoundAsks } from './bound-asks';
import { BoundStreams, homePartition } from './bound-streams';
import type { PluginsConfig } from './config';
import { DoneMarks } from './done-marks';
import { tellOf } from './finished-events';
import type { PluginSet } from './plugin-set';
import type { RequestDesk } from './request-desk';
import type { Requests } from './requests';
import type { StreamFacts } from './stream-facts';

interface BoundParts {
  frame: Frame;
  log: Log;
  /** Of the requests. */
  topic: string;
  config: PluginsConfig;
  facts: StreamFacts;
  plugins: PluginSet;
  desk: RequestDesk;
  requests: Requests;
}

/** Wires what a host does for streams that are bound to plugins. Stopped by frame.drain. */
export function buildBound(parts: BoundParts): { bound: BoundStreams; ready: Promise<void> } {
  const { frame, log, topic, config, facts, plugins, desk, requests } = parts;
  const { auth, logger, metrics, drain } = frame;
  const { ingestUrl, watchUrl, inputBytesMax } = config;
  const partitionOf = (streamNo: string): number => homePartition(streamNo, desk.partitionsInAll);
  const marks = new DoneMarks(log, topic, partitionOf, logger);
  const asks = new BoundAsks({ requests, auth, ingestUrl, watchUrl, inputBytesMax });
  const labels = ['plugin', 'hook'];
  const done = metrics.counter('plugin_bound_total', 'Bound streams by what came of them: done, or why there was nothing to do.', [...labels, 'outcome']);
  const bound = new BoundStreams({
    facts, marks, partitions: () => desk.partitions, partitionOf, logger,
    work: { receive: (fact, plugin) => asks.ask(fact, plugin), persistAfter: (fact, plugin) => tellOf(plugins, fact, plugin) },
    onDone: (plugin, hook, outcome) => done.inc({ plugin, hook, outcome }),
  });
  plugins.onChange(() => bound.considerAll());
  metrics.gauge('plugin_bound_waiting', 'Bound streams that are final and not yet answered, or told of, on whatever host.', labels, (gauge) => {
    gauge.reset();
    for (const { plugin, hook, count } of bound.waiting()) gauge.set({ plugin, hook }, count);
  });
  drain.add('sessions', 'bound', () => bound.close());
  drain.add('membership', 'bound', () => marks.close());
  return { bound, ready: marks.ready };
}
