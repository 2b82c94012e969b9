import { dirname, join } from 'node:path';
import { Transport } from '@nestjs/microservices';
import type { GrpcOptions } from '@nestjs/microservices';

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
      keepalive: { keepaliveTimeMs: 30_000, keepaliveTimeoutMs: 5_000, keepalivePermitWithoutCalls: 1, http2MinPingIntervalWithoutDataMs: 5_000 },
    },
  };
}
