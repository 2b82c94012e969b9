import { Module } from '@nestjs/common';
import type { DynamicModule } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { buildIngest } from './ingest';
import type { IngestParts } from './ingest';
import { PipeController } from './pipe-controller';
import { PRODUCING } from './producing';
import { refuseEarly } from './refuse-early';
import type { HookTarget } from './refuse-early';
import { StreamsController } from './streams-controller';

@Module({})
export class IngestModule {
  static with(parts: IngestParts): DynamicModule {
    return {
      module: IngestModule,
      controllers: [StreamsController, PipeController],
      providers: [{
        provide: PRODUCING,
        inject: [HttpAdapterHost],
        useFactory: (host: HttpAdapterHost) => {
          // A hook counts only for routes that are registered after it, and controllers are routed after all providers are built.
          refuseEarly(host.httpAdapter.getInstance() as HookTarget, parts.frame);
          return buildIngest(parts);
        },
      }],
    };
  }
}
