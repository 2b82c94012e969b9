import { ConfigError } from '@rivulet/service';
import { banner } from './banner';
import { startStandalone } from './standalone';

async function main(): Promise<void> {
  const env = { RIVULET_STANDALONE_PORT: '7100', RIVULET_LOG_LEVEL: 'warn', ...process.env };
  const standalone = await startStandalone({ env });
  process.stdout.write(banner(standalone));
  let isStopping = false;
  const stop = (): void => {
    if (isStopping) process.exit(130);
    isStopping = true;
    void standalone.stop().then(() => process.exit(0));
  };
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof ConfigError ? error.message : String((error as Error).stack)}\n`);
  process.exit(1);
});
