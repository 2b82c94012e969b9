import { connectAllocator, createApp, openLog, runMain } from '@rivulet/service';
import { buildFanout } from './build-fanout';
import { FANOUT_PREFIX, fanoutProcessRows } from './config';
import { FanoutModule } from './module';

void runMain({
  app: 'fanout',
  rows: fanoutProcessRows,
  appPrefixes: FANOUT_PREFIX,
  start: async (config, frame) => {
    const log = await openLog(config, frame);
    const allocator = connectAllocator(config, frame);
    const fanout = buildFanout(frame, log, config, allocator);
    await createApp(FanoutModule.with(fanout), frame, {
      host: config.host,
      port: config.fanoutPort,
      prepare: (app) => FanoutModule.connect(app, fanout),
    });
  },
});
