import { createApp, openLog, runMain } from '@rivulet/service';
import { ALLOCATOR_PREFIX, allProcessRows } from './config';
import { AllocatorModule, grpcServer } from './module';

void runMain({
  app: 'allocator',
  rows: allProcessRows,
  appPrefixes: ALLOCATOR_PREFIX,
  start: async (config, frame) => {
    const log = await openLog(config, frame);
    await createApp(AllocatorModule.with({ frame, log, config }), frame, {
      host: config.host,
      port: config.allocatorPort,
      prepare: (app) => { app.connectMicroservice(grpcServer(config.host, config.allocatorGrpcPort)); },
    });
  },
});
