import { connectAllocator, createApp, openLog, runMain } from '@rivulet/service';
import { buildPlugins } from './build-plugins';
import { allPluginsRows, PLUGINS_PREFIX } from './config';
import { PluginsModule } from './module';

void runMain({
  app: 'plugins',
  rows: allPluginsRows,
  appPrefixes: PLUGINS_PREFIX,
  async start(config, frame) {
    const log = await openLog(config, frame);
    const allocator = connectAllocator(config, frame);
    const built = buildPlugins({ frame, log, config, allocator });
    await createApp(PluginsModule.with(built), frame, { host: config.host, port: config.pluginsPort });
  },
});
