import { connectAllocator, createApp, openLog, runMain } from '@rivulet/service';
import { allIngestRows, INGEST_PREFIX } from './config';
import { IngestModule } from './module';

void runMain({
  app: 'ingest',
  rows: allIngestRows,
  appPrefixes: INGEST_PREFIX,
  async start(config, frame) {
    const log = await openLog(config, frame);
    const allocator = connectAllocator(config, frame);
    await createApp(IngestModule.with({ frame, log, config, allocator }), frame, { host: config.host, port: config.ingestPort });
  },
});
