import type { AllocatorPort, ServiceConfig } from '@rivulet/service';
import type { Admission } from './admission';
import type { IngestSettings } from './config';
import type { Connections } from './connections';
import type { FragmentAppender } from './fragment-appender';
import type { IngestMetrics } from './ingest-metrics';
import type { Leases } from './leases';
import type { StreamTable } from './stream-table';
import type { StreamVerdicts } from './stream-verdicts';

/** What every way of producing (single POST, NDJSON, pipe, WebSocket) works with; one of each per process. */
export interface Producing {
  admission: Admission;
  allocator: AllocatorPort;
  appender: FragmentAppender;
  connections: Connections;
  leases: Leases;
  metrics: IngestMetrics;
  settings: IngestSettings & Pick<ServiceConfig, 'bodyMsMax'>;
  table: StreamTable;
  verdicts: StreamVerdicts;
}

/** The name under which controllers get it. */
export const PRODUCING = Symbol('Producing');
