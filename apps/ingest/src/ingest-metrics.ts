import { StreamError } from '@rivulet/protocol';
import type { Metrics } from '@rivulet/service';
import type { FragmentRun } from './append-entry';
import type { Connections } from './connections';
import type { FragmentAppender } from './fragment-appender';
import type { Leases } from './leases';
import type { StreamTable } from './stream-table';

interface Observed {
  appender: FragmentAppender;
  connections: Connections;
  leases: Leases;
  table: StreamTable;
  partitions: number;
}

/** Ingest's metrics. Totals are plain numbers, read when scraped: an append pays an addition, not a label look-up. */
export class IngestMetrics {
  private fragments = 0;
  private bytes = 0;
  private readonly refused;
  private readonly seconds;

  constructor(metrics: Metrics, observed: Observed) {
    const { appender, connections, leases, table, partitions } = observed;
    const total = (name: string, help: string, read: () => number): void => {
      let shown = 0;
      metrics.counter(name, help, [], (counter) => {
        const now = read();
        counter.inc(now - shown);
        shown = now;
      });
    };
    total('appends_total', 'Fragments acknowledged: durable in the log.', () => this.fragments);
    total('append_bytes_total', 'Payload bytes acknowledged.', () => this.bytes);
    total('append_records_total', 'Log records written for fragments; fragments per record is the packing ratio.', () => appender.counts.records);
    total('lost_beats_total', 'Lease renewals that could not be written.', () => leases.lostBeats);
    this.refused = metrics.counter('append_refused_total', 'Calls refused by ingest, by error code.', ['code']);
    this.seconds = metrics.histogram('append_seconds', 'Time from a parsed append to its acknowledgement by the log.');
    metrics.gauge('append_packing_ratio', 'Fragments per log record since the start.', [], (gauge) => {
      gauge.set(appender.counts.records === 0 ? 1 : appender.counts.fragments / appender.counts.records);
    });
    metrics.gauge('append_queue_bytes', 'Bytes that wait for the log, all partitions.', [], (gauge) => {
      let bytes = 0;
      for (let partition = 0; partition < partitions; partition += 1) bytes += appender.queuedBytes(partition);
      gauge.set(bytes);
    });
    metrics.gauge('producer_connections', 'Open producer connections that last.', ['kind'], (gauge) => {
      for (const kind of ['ndjson', 'pipe', 'ws'] as const) gauge.set({ kind }, connections.count(kind));
    });
    metrics.gauge('known_streams', 'Streams in the table of ingest.', [], (gauge) => gauge.set(table.size));
  }

  acknowledged(run: FragmentRun): void {
    this.fragments += run.payloads.length;
    this.bytes += run.bytes;
  }

  /** @param startedAt monotonic ms */
  took(startedAt: number): void {
    this.seconds.observe((performance.now() - startedAt) / 1000);
  }

  refusedFor(error: unknown): void {
    this.refused.inc({ code: error instanceof StreamError ? error.code : 'INTERNAL' });
  }
}
