import type { Log } from '@rivulet/log';
import { topicNames } from '@rivulet/protocol';
import type { Frame } from '@rivulet/service';
import { Allocator } from './allocator';
import { BoundOpens } from './bound-opens';
import type { AllocatorConfig } from './config';
import { LifecycleEntries } from './lifecycle-entries';
import { OpenQuotas } from './open-quotas';
import { Opener } from './opener';
import { PartitionList } from './partition-list';
import { Placement } from './placement';
import { RecordWriter } from './record-writer';
import { SendHooks } from './send-hooks';
import { StreamList } from './stream-list';
import { VerdictWaits } from './verdict-waits';

export interface BuiltAllocator {
  allocator: Allocator;
  list: StreamList;
  partitions: PartitionList;
  /** Resolves when the lifecycle topic has been read up to the end it had at the start. */
  ready: Promise<void>;
}

/** Wires the plain classes, and hooks them into readiness, metrics and drain. */
export function buildAllocator(frame: Frame, log: Log, config: AllocatorConfig, now: () => number = Date.now): BuiltAllocator {
  const { auth, streamNos, logger, metrics, readiness, drain } = frame;
  const names = topicNames(config.topicPrefix);
  const undecodable = metrics.counter('allocator_undecodable_total', 'Lifecycle values that could not be read and were skipped.');
  const entries = new LifecycleEntries({
    log, topic: names.lifecycle, endedStreamsMax: config.endedStreamsMax,
    onUndecodable: ({ cause, ...place }) => {
      undecodable.inc();
      logger.error({ ...place, err: cause }, 'a lifecycle value cannot be read; skipped');
    },
  });
  const writer = new RecordWriter(log, names.fragments, config);
  const waits = new VerdictWaits(entries, config.waitsMax);
  const placement = new Placement({ ...config, loadOf: (partition) => entries.load.of(partition) });
  const quotas = new OpenQuotas(frame.quotas, entries);
  const hooks = new SendHooks({ hostUrls: config.pluginHosts, serviceToken: config.serviceToken, sendMsMax: config.sendMsMax });
  const bound = new BoundOpens(config.bindings, hooks, config.metadataBytesMax);
  const opener = new Opener({ config, bound, quotas, auth, streamNos, entries, placement, writer, now });
  const calls = metrics.counter('allocator_calls_total', 'Calls by outcome: ok, or the code of the refusal.', ['call', 'outcome']);
  const allocator = new Allocator({
    opener, auth, streamNos, writer, waits, verdictMsMax: config.verdictMsMax, now,
    onAnswered: ({ call, streamNo, outcome }) => {
      calls.inc({ call, outcome });
      // An attempt or a cancel is an event in the life of a stream that somebody will ask about; opens are many, and in the log anyway.
      logger[call === 'open' ? 'debug' : 'info']({ call, streamNo, outcome }, 'allocator answered');
    },
  });

  metrics.gauge('allocator_streams', 'Streams known to the allocator.', [], (gauge) => gauge.set(entries.size));
  metrics.gauge('allocator_streams_whole', 'Streams kept whole for the list.', [], (gauge) => gauge.set(entries.wholeCount));
  metrics.gauge('allocator_waits', 'Calls that wait for a verdict of the log.', [], (gauge) => gauge.set(waits.waiting));
  metrics.gauge('quota_open_streams', 'Open streams of keys that have a quota of them.', ['key'], (gauge) => {
    gauge.reset();
    for (const { id } of config.apiKeys) {
      if (frame.quotas.of(id)?.limits.openStreams !== undefined) gauge.set({ key: id }, quotas.openStreams.get(id) ?? 0);
    }
  });
  readiness.add('allocator-lifecycle', () => (entries.isReady ? null : 'the lifecycle topic is still being read'));
  drain.add('appends', 'allocator', () => writer.flush());
  drain.add('membership', 'allocator', async () => {
    waits.close();
    await entries.close();
    await writer.close();
  });
  return { allocator, list: new StreamList(entries, streamNos), partitions: new PartitionList(entries, config), ready: entries.ready };
}
