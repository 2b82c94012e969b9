import { Module } from '@nestjs/common';
import type { DynamicModule } from '@nestjs/common';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { LogBatchServer } from '@rivulet/log';
import { topicNames } from '@rivulet/protocol';
import type { Fanout } from './build-fanout';
import { Owners } from './owners';
import { PartitionController } from './partition-controller';
import { Watch } from './watch';
import { WATCH_AUTH, WATCH_LOGGER, WatchController } from './watch-controller';

/** The edges of fanout around its plain classes: partitions of the log come in, sessions go out. */
@Module({})
export class FanoutModule {
  static with({ frame, owners, delivery }: Fanout): DynamicModule {
    return {
      module: FanoutModule,
      controllers: [PartitionController, WatchController],
      providers: [
        { provide: Owners, useValue: owners },
        { provide: Watch, useValue: new Watch(delivery) },
        { provide: WATCH_AUTH, useValue: frame.auth },
        { provide: WATCH_LOGGER, useValue: frame.logger },
      ],
    };
  }

  /** The group is joined when the app starts its microservices; to be called while it is being prepared. */
  static connect(app: NestFastifyApplication, { log, config, owners }: Fanout): void {
    const server = new LogBatchServer({
      log,
      join: {
        groupId: `${config.topicPrefix}.fanout`,
        topic: topicNames(config.topicPrefix).fragments,
        sessionTimeoutMs: config.sessionTimeoutMs,
        heartbeatMs: config.heartbeatMs,
      },
    });
    app.connectMicroservice({ strategy: server });
    owners.start({
      isJoined: () => server.membership !== null,
      assigned: () => server.partitions(),
      heartbeatAt: () => server.membership?.heartbeatAt ?? -Infinity,
      restart: (partition) => server.restart(partition),
      leave: () => server.close(),
    });
  }
}
