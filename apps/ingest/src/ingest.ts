import { decodeLifecycle, topicNames } from '@rivulet/protocol';
import type { AllocatorPort, Frame } from '@rivulet/service';
import type { Log } from '@rivulet/log';
import { Admission } from './admission';
import type { IngestConfig } from './config';
import { Connections } from './connections';
import { FragmentAppender } from './fragment-appender';
import { IngestMetrics } from './ingest-metrics';
import { Leases } from './leases';
import { ProducerSocket } from './producer-socket';
import type { Producing } from './producing';
import { StreamTable } from './stream-table';
import { StreamVerdicts } from './stream-verdicts';

export interface IngestParts {
  frame: Frame;
  log: Log;
  config: IngestConfig;
  allocator: AllocatorPort;
}

export const PRODUCER_SOCKET_PATH = '/v1/streams/ws';

/** Wires ingest: reads top to bottom as what depends on what. Stopped by frame.drain. */
export function buildIngest({ frame, log, config, allocator }: IngestParts): Producing {
  const topics = topicNames(config.topicPrefix);
  const { queueBytesMax, batchBytesMax, batchEntriesMax, appendMsMax, partitionsInteractive } = config;
  const appender = new FragmentAppender(log, {
    topic: topics.fragments, writer: frame.instance, partitionsInteractive,
    queueBytesMax, batchBytesMax, batchEntriesMax, deadlineMs: appendMsMax,
  });
  const leases = new Leases(log, { topic: topics.fragments, tickMs: config.leaseTickMs, queueBytesMax, deadlineMs: appendMsMax });
  const table = new StreamTable({
    log, topic: topics.lifecycle, decode: decodeLifecycle, finalStreamsMax: config.finalStreamsMax,
    onUndecodable: (partition, offset, cause) => frame.logger.error({ partition, offset, err: cause }, 'a lifecycle value cannot be read'),
  });
  const admission = new Admission(frame.auth, frame.streamNos, table, frame.quotas, { projectionMsMax: config.projectionMsMax });
  const verdicts = new StreamVerdicts(admission, appender, leases, table, { verdictMsMax: config.verdictMsMax });
  const connections = new Connections();
  const partitions = partitionsInteractive + config.partitionsBulk;
  const metrics = new IngestMetrics(frame.metrics, { appender, connections, leases, table, partitions });
  const producing: Producing = { admission, allocator, appender, connections, leases, metrics, settings: config, table, verdicts };

  frame.sockets.add(PRODUCER_SOCKET_PATH, (socket, request, requestId) => {
    new ProducerSocket(producing, socket, request.headers.authorization, requestId);
  });
  frame.readiness.add('streams', () => (table.isReady ? null : 'the table of streams is being read'));
  frame.readiness.add('allocator', () => allocator.whyNotReady());
  frame.drain.add('sessions', 'producers', () => connections.drain(config.pipeDrainMsMax));
  frame.drain.add('appends', 'appends', async () => {
    await leases.close();
    await appender.flush();
  });
  // Closed after the HTTP server: a request that is still answered may yet append, and is told so.
  frame.drain.add('membership', 'appender', () => appender.close());
  frame.drain.add('membership', 'streams', () => table.close());
  return producing;
}
