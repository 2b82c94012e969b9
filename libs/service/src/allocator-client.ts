import { dirname, join } from 'node:path';
import { connectivityState, credentials, loadPackageDefinition, Metadata, status } from '@grpc/grpc-js';
import type { Client, ServiceError } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { ERRORS, StreamError } from '@rivulet/protocol';
import type { ErrorCode, OpenedStream, RetriedStream, VerdictReply } from '@rivulet/protocol';
import type { AllocatorPort, CancelCall, OpenCall, RetryCall } from './allocator-port';

export interface AllocatorGrpcOptions {
  /** host:port */
  address: string;
  /** What our processes show each other. */
  serviceToken: string;
  /** A call that is not answered by then is ALLOCATOR_UNAVAILABLE, ms. Above the time the allocator waits for verdicts. */
  deadlineMs: number;
}

interface Reply { reply_json: string }
type Done = (error: ServiceError | null, reply?: Reply) => void;
type Unary = (request: object, metadata: Metadata, options: { deadline: number }, done: Done) => void;
type AllocatorClient = Client & { Open: Unary; Retry: Unary; Cancel: Unary };

const RETRY_AFTER_MS = 1000;

/** The allocator over gRPC. One channel, which connects again by itself. */
export class AllocatorGrpc implements AllocatorPort {
  private readonly client: AllocatorClient;
  private readonly metadata = new Metadata();

  constructor(private readonly options: AllocatorGrpcOptions) {
    const proto = join(dirname(require.resolve('@rivulet/protocol/package.json')), 'proto', 'allocator.proto');
    const loaded = loadPackageDefinition(loadSync(proto, { keepCase: true, defaults: true })) as unknown as {
      rivulet: { allocator: { v1: { Allocator: new (address: string, channel: unknown, channelOptions: object) => AllocatorClient } } };
    };
    // After an outage the next try comes soon: opens wait for it.
    const channel = { 'grpc.initial_reconnect_backoff_ms': 100, 'grpc.max_reconnect_backoff_ms': 1000, 'grpc.keepalive_time_ms': 10_000 };
    this.client = new loaded.rivulet.allocator.v1.Allocator(options.address, credentials.createInsecure(), channel);
    this.metadata.set('authorization', `Bearer ${options.serviceToken}`);
    this.client.getChannel().getConnectivityState(true);
  }

  open(call: OpenCall): Promise<OpenedStream> {
    const { principal, idempotencyKey, options } = call;
    return this.call('Open', { principal, idempotency_key: idempotencyKey, options_json: JSON.stringify(options) });
  }

  retry(call: RetryCall): Promise<RetriedStream> {
    const { streamNo, epoch, attemptId, keep, reason } = call;
    return this.call('Retry', { stream_no: streamNo, epoch, attempt_id: attemptId, keep_none: keep === 'none', reason });
  }

  cancel(call: CancelCall): Promise<VerdictReply> {
    return this.call('Cancel', { stream_no: call.streamNo, by: call.by, reason: call.reason });
  }

  /** Asking also makes an idle channel connect. */
  whyNotReady(): string | null {
    const state = this.client.getChannel().getConnectivityState(true);
    return state === connectivityState.READY ? null : `the allocator at ${this.options.address} is not reachable (${connectivityState[state]})`;
  }

  close(): void {
    this.client.close();
  }

  private call<T>(method: 'Open' | 'Retry' | 'Cancel', request: object): Promise<T> {
    return new Promise((resolve, reject) => {
      const deadline = Date.now() + this.options.deadlineMs;
      this.client[method](request, this.metadata, { deadline }, (error, reply) => {
        if (error) reject(streamErrorOf(error));
        else resolve(JSON.parse(reply!.reply_json) as T);
      });
    });
  }
}

/** The StreamError the allocator threw, from the metadata of the status; anything else means it was not reached. */
function streamErrorOf(error: ServiceError): StreamError {
  const code = error.metadata?.get('rivulet-code')[0];
  if (typeof code !== 'string' || !(code in ERRORS)) {
    const unreached = error.code === status.UNAVAILABLE || error.code === status.DEADLINE_EXCEEDED || error.code === status.CANCELLED;
    return new StreamError(unreached ? 'ALLOCATOR_UNAVAILABLE' : 'INTERNAL', { retryAfterMs: RETRY_AFTER_MS }, { cause: error });
  }
  return new StreamError(code as ErrorCode, detailsOf(error), { cause: error });
}

function detailsOf(error: ServiceError): Record<string, unknown> {
  const text = error.metadata.get('rivulet-details')[0];
  if (typeof text !== 'string') return {};
  const details: unknown = JSON.parse(text);
  return typeof details === 'object' && details !== null ? (details as Record<string, unknown>) : {};
}
