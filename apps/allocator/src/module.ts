import { dirname, join } from 'node:path';
import { Module } from '@nestjs/common';
import type { DynamicModule } from '@nestjs/common';
import { Transport } from '@nestjs/microservices';
import type { GrpcOptions } from '@nestjs/microservices';
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
import { PartitionList } from './partition-list';
import { PartitionsController } from './partitions-controller';
import { ReaderTokens } from './reader-tokens';
import { ReaderTokensController } from './reader-tokens-controller';
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
      controllers: [AdminController, GrpcController, PageController, PartitionsController, ReaderTokensController],
      providers: [
        { provide: FRAME, useValue: frame },
        { provide: Auth, useValue: frame.auth },
        { provide: Allocator, useValue: built.allocator },
        { provide: StreamList, useValue: built.list },
        { provide: ReaderTokens, useValue: new ReaderTokens(frame.auth, frame.streamNos, Date.now) },
        { provide: PartitionList, useValue: built.partitions },
      ],
    };
  }
}

const MESSAGE_BYTES_MAX = 1_048_576;

/** Options of the gRPC server. The proto file is the published one of libs/protocol. */
export function grpcServer(host: string, port: number): GrpcOptions {
  const proto = join(dirname(require.resolve('@rivulet/protocol/package.json')), 'proto', 'allocator.proto');
  return {
    transport: Transport.GRPC,
    options: {
      package: 'rivulet.allocator.v1', protoPath: proto, url: `${host.includes(':') ? `[${host}]` : host}:${port}`,
      loader: { keepCase: false, defaults: true, longs: Number },
      maxReceiveMessageLength: MESSAGE_BYTES_MAX, maxSendMessageLength: MESSAGE_BYTES_MAX,
      // A caller whose host vanished is noticed; a caller may ping as often.
      keepalive: {
        keepaliveTimeMs: 30_000, keepaliveTimeoutMs: 5_000, keepalivePermitWithoutCalls: 1, http2MinPingIntervalWithoutDataMs: 1_000,
      },
    },
  };
}
