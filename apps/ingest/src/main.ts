import { AllocatorGrpc, createApp, openLog, runMain } from '@rivulet/service';
import { allIngestRows, INGEST_PREFIX } from './config';
import { IngestModule } from './module';

void runMain({
  app: 'ingest',
  rows: allIngestRows,
  appPrefixes: INGEST_PREFIX,
  async start(config, frame) {
    const log = await openLog(config, frame);
    const allocator = new AllocatorGrpc({
      addresses: config.allocatorGrpcAddresses, serviceToken: config.serviceToken, deadlineMs: config.allocatorMsMax,
    });
    frame.drain.add('log', 'allocator', () => allocator.close());
    await createApp(IngestModule.with({ frame, log, config, allocator }), frame, { host: config.host, port: config.ingestPort });
  },
});
