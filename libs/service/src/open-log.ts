import { MemoryLog, openKafkaLog, topicSpecs } from '@rivulet/log';
import type { Log } from '@rivulet/log';
import { topicNames } from '@rivulet/protocol';
import type { Frame } from './frame';
import type { ServiceConfig } from './service-rows';

const CHECK_MS = 2_000;

/** Opens the log the configuration names, creates its topics when told, closes it last in the drain; /readyz says whether it answers. */
export async function openLog(config: ServiceConfig, frame: Frame): Promise<Log> {
  const log = config.log === 'memory' ? new MemoryLog() : await openKafkaLog({
    brokers: [...config.kafkaBrokers], clientId: `${config.topicPrefix}-${frame.app}-${frame.instance}`, logger: frame.logger,
    partitionsInteractive: config.partitionsInteractive,
  });
  if (config.createTopics === 'on' || log.kind === 'memory') {
    await log.createTopics(topicSpecs(topicNames(config.topicPrefix), {
      interactive: config.partitionsInteractive, bulk: config.partitionsBulk, replication: config.replication, minInsync: config.minInsync,
    }));
  }
  const stopWatching = watchLog(log, frame);
  frame.drain.add('log', 'log', async () => {
    stopWatching();
    await log.close();
  });
  return log;
}

/** Asked in the background, so that /readyz answers at once also while Kafka hangs. */
function watchLog(log: Log, frame: Frame): () => void {
  let why: string | null = null;
  let isAsking = false;
  const ask = async (): Promise<void> => {
    if (isAsking) return;
    isAsking = true;
    try {
      await log.check();
      why = null;
    } catch (error) {
      if (why === null) frame.logger.warn({ err: error }, 'the log does not answer');
      why = `the log does not answer: ${(error as Error).message}`;
    } finally {
      isAsking = false;
    }
  };
  frame.readiness.add('log', () => why);
  const timer = setInterval(() => void ask(), CHECK_MS);
  timer.unref();
  return () => clearInterval(timer);
}
