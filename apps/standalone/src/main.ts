import { ConfigError } from '@rivulet/service';
import { banner } from './banner';
import type { PluginStatus } from './plugins';
import { startRivulet } from './start-rivulet';

async function main(): Promise<void> {
  const env = { RIVULET_STANDALONE_PORT: '7100', RIVULET_LOG_LEVEL: 'warn', RIVULET_PLUGINS_SHIPPED: 'echo,ticker', ...process.env };
  // A plugin in trouble keeps nothing else from starting.
  const onChange = ({ plugin, fault }: PluginStatus): void => {
    if (fault) process.stderr.write(`The plugin ${plugin} does not run: ${fault.code}: ${fault.detail} ${fault.remedy}\n`);
  };
  const rivulet = await startRivulet({ env, plugins: { onChange } });
  process.stdout.write(banner(rivulet));
  let isStopping = false;
  const stop = (): void => {
    if (isStopping) process.exit(130);
    isStopping = true;
    void rivulet.stop().then(() => process.exit(0));
  };
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof ConfigError ? error.message : String((error as Error).stack)}\n`);
  process.exit(1);
});
