import { Module } from '@nestjs/common';
import type { DynamicModule } from '@nestjs/common';
import type { Log } from '@rivulet/log';
import { Auth } from '@rivulet/service';
import type { Frame } from '@rivulet/service';
import { AdminController } from './admin-controller';
import { Allocator } from './allocator';
import { buildAllocator } from './build-allocator';
import type { BuiltAllocator } from './build-allocator';
import type { AllocatorConfig } from './config';
import { GrpcController } from './grpc-controller';
import { PageController } from './page-controller';
import { StreamList } from './stream-list';
import { FRAME } from './tokens';

export interface AllocatorModuleParts {
  frame: Frame;
  log: Log;
  config: AllocatorConfig;
  /** When the caller needs the allocator itself, in the same process: what buildAllocator gave. */
  built?: BuiltAllocator;
}

/** The allocator's edges, HTTP and gRPC, around its plain classes. */
@Module({})
export class AllocatorModule {
  static with({ frame, log, config, built = buildAllocator(frame, log, config) }: AllocatorModuleParts): DynamicModule {
    return {
      module: AllocatorModule,
      controllers: [AdminController, GrpcController, PageController],
      providers: [
        { provide: FRAME, useValue: frame },
        { provide: Auth, useValue: frame.auth },
        { provide: Allocator, useValue: built.allocator },
        { provide: StreamList, useValue: built.list },
      ],
    };
  }
}
