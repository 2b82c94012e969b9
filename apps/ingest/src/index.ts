export { allIngestRows, INGEST_PREFIX, ingestRows, readIngestConfig } from './config';
export type { IngestConfig, IngestSettings } from './config';
export { IngestModule } from './module';
export { buildIngest, PRODUCER_SOCKET_PATH } from './ingest';
export type { IngestParts } from './ingest';
