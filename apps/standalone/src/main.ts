import { ConfigError } from '@rivulet/service';
import { banner } from './banner';
import { startRivulet } from './start-rivulet';

async function main(): Promise<void> {
  const env = { RIVULET_STANDALONE_PORT: '7100', RIVULET_LOG_LEVEL: 'warn', ...process.env };
  const rivulet = await startRivulet({ env });
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
