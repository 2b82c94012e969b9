import { integerRow, readConfig, serviceRows } from '@rivulet/service';
import type { ConfigOf, ServiceConfig } from '@rivulet/service';

/** The app's only reader of the environment. */
export const ingestRows = {
  ingestPort: integerRow({ env: 'RIVULET_INGEST_PORT', fallback: 7102, min: 0, max: 65_535, doc: 'HTTP port of ingest; 0: a free one.' }),
  queueBytesMax: integerRow({ env: 'RIVULET_INGEST_QUEUE_BYTES_MAX', fallback: 8_388_608, min: 65_536, max: 1_073_741_824, doc: 'Appends that wait for one partition, bytes. Above it: OVERLOADED; streaming bodies are not read above half of it.' }),
  batchBytesMax: integerRow({ env: 'RIVULET_INGEST_BATCH_BYTES_MAX', fallback: 524_288, min: 16_384, max: 524_288, doc: 'One flush of one partition, bytes. Below the broker\'s max.message.bytes.' }),
  batchEntriesMax: integerRow({ env: 'RIVULET_INGEST_BATCH_ENTRIES_MAX', fallback: 1_000, min: 1, max: 1_000, doc: 'One flush of one partition, appends.' }),
  appendMsMax: integerRow({ env: 'RIVULET_INGEST_APPEND_MS_MAX', fallback: 10_000, min: 100, max: 120_000, doc: 'An append that is not durable after this long is answered LOG_UNAVAILABLE, ms.' }),
  windowBytesMax: integerRow({ env: 'RIVULET_INGEST_WINDOW_BYTES_MAX', fallback: 1_048_576, min: 16_384, max: 67_108_864, doc: 'Bytes of one connection that are not acknowledged yet; beyond it nothing is read from it.' }),
  bodyIdleMsMax: integerRow({ env: 'RIVULET_INGEST_BODY_IDLE_MS_MAX', fallback: 5_000, min: 50, max: 600_000, doc: 'Time between two reads of an application/octet-stream body, ms.' }),
  ndjsonIdleMsMax: integerRow({ env: 'RIVULET_INGEST_NDJSON_IDLE_MS_MAX', fallback: 60_000, min: 50, max: 3_600_000, doc: 'An NDJSON body in which nothing comes, not even a blank line, for this long is ended, ms.' }),
  pipeIdleMsMax: integerRow({ env: 'RIVULET_INGEST_PIPE_IDLE_MS_MAX', fallback: 900_000, min: 1_000, max: 86_400_000, doc: 'A pipe in which nothing comes for this long is aborted; also the lease of its stream, ms.' }),
  pipeStallMsMax: integerRow({ env: 'RIVULET_INGEST_PIPE_STALL_MS_MAX', fallback: 120_000, min: 0, max: 3_600_000, doc: 'How long a pipe waits for a Kafka that is away before it is aborted, ms.' }),
  pipeDrainMsMax: integerRow({ env: 'RIVULET_INGEST_PIPE_DRAIN_MS_MAX', fallback: 5_000, min: 0, max: 600_000, doc: 'Time pipes get to finish when the process stops, ms. Below RIVULET_DRAIN_MS_MAX.' }),
  keepAliveMs: integerRow({ env: 'RIVULET_INGEST_KEEP_ALIVE_MS', fallback: 15_000, min: 50, max: 600_000, doc: 'Blank lines to the client of a silent pipe, ms. Below the idle limits of proxies and of RIVULET_CONNECTION_IDLE_MS_MAX.' }),
  lingerMsMax: integerRow({ env: 'RIVULET_INGEST_LINGER_MS_MAX', fallback: 2_000, min: 0, max: 60_000, doc: 'After an answer that came before the body ended, the rest is read and dropped for this long, then the connection is cut, ms.' }),
  verdictMsMax: integerRow({ env: 'RIVULET_INGEST_VERDICT_MS_MAX', fallback: 5_000, min: 10, max: 60_000, doc: 'How long end and abort wait for the log\'s verdict before they answer 202 PENDING, ms.' }),
  allocatorMsMax: integerRow({ env: 'RIVULET_INGEST_ALLOCATOR_MS_MAX', fallback: 8_000, min: 100, max: 120_000, doc: 'A call of the allocator that is not answered after this long is ALLOCATOR_UNAVAILABLE, ms. Above the time it waits for verdicts.' }),
  projectionMsMax: integerRow({ env: 'RIVULET_INGEST_PROJECTION_MS_MAX', fallback: 2_000, min: 0, max: 60_000, doc: 'With an API key: how long a call waits for a stream or an epoch that is not visible yet, ms.' }),
  finalStreamsMax: integerRow({ env: 'RIVULET_INGEST_FINAL_STREAMS_MAX', fallback: 50_000, min: 100, max: 10_000_000, doc: 'Final streams kept in memory, to refuse appends to them without asking the log.' }),
  leaseTickMs: integerRow({ env: 'RIVULET_INGEST_LEASE_TICK_MS', fallback: 250, min: 10, max: 10_000, doc: 'Time between two rounds of lease renewals, ms.' }),
  pingMs: integerRow({ env: 'RIVULET_INGEST_PING_MS', fallback: 3_000, min: 50, max: 60_000, doc: 'Time between two pings of a producer\'s WebSocket, ms; three without an answer end it. Below a third of the shortest lease, or that lapses.' }),
  socketStreamsMax: integerRow({ env: 'RIVULET_INGEST_SOCKET_STREAMS_MAX', fallback: 10_000, min: 1, max: 1_000_000, doc: 'Streams one WebSocket may write to.' }),
} as const;

export type IngestSettings = ConfigOf<typeof ingestRows>;
export type IngestConfig = IngestSettings & ServiceConfig;

export const allIngestRows = { ...serviceRows, ...ingestRows };
export const INGEST_PREFIX = 'RIVULET_INGEST_';

/** @throws ConfigError listing every problem with its remedy */
export function readIngestConfig(env: NodeJS.ProcessEnv): IngestConfig {
  return readConfig(allIngestRows, env, INGEST_PREFIX);
}
