import { dirname, join } from 'node:path';
import { connectivityState, credentials, loadPackageDefinition, Metadata, status } from '@grpc/grpc-js';
import type { Client, ServiceError } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { ERRORS, StreamError } from '@rivulet/protocol';
import type { ErrorCode, OpenedStream, RetriedStream, VerdictReply } from '@rivulet/protocol';
import type { AllocatorPort, CancelCall, OpenCall, RetryCall } from './allocator-port';

export interface AllocatorGrpcOptions {
  /** host:port of each; a name may stand for several instances. */
  addresses: readonly string[];
  /** What our processes show each other. */
  serviceToken: string;
  /** A call that is not answered by then is ALLOCATOR_UNAVAILABLE, ms. Above the time the allocator waits for verdicts. */
  deadlineMs: number;
}

interface Reply { reply_json: string }
type Done = (error: ServiceError | null, reply?: Reply) => void;
type Unary = (request: object, metadata: Metadata, options: { deadline: number }, done: Done) => void;
type AllocatorClient = Client & { Open: Unary; Retry: Unary; Cancel: Unary };
type Method = 'Open' | 'Retry' | 'Cancel';

const RETRY_AFTER_MS = 1000;
/** With one address too: the name may stand for several, and the second try goes to another of them. */
const ATTEMPTS_MIN = 2;
const CHANNEL = {
  // What a name stands for takes turns, and what cannot be reached is left out.
  'grpc.service_config': JSON.stringify({ loadBalancingConfig: [{ round_robin: {} }] }),
  // After an outage the next try comes soon: opens wait for it.
  'grpc.initial_reconnect_backoff_ms': 100, 'grpc.max_reconnect_backoff_ms': 1000,
  // An instance that hangs with its connections open is noticed while a call can still be put to another one.
  'grpc.keepalive_time_ms': 2000, 'grpc.keepalive_timeout_ms': 1500,
};

/** The allocators over gRPC: one channel per address, which connects again by itself. Calls take turns among those that are connected. */
export class AllocatorGrpc implements AllocatorPort {
  private readonly clients: readonly AllocatorClient[];
  private readonly metadata = new Metadata();
  private turn = 0;

  constructor(private readonly options: AllocatorGrpcOptions) {
    const proto = join(dirname(require.resolve('@rivulet/protocol/package.json')), 'proto', 'allocator.proto');
    const loaded = loadPackageDefinition(loadSync(proto, { keepCase: true, defaults: true })) as unknown as {
      rivulet: { allocator: { v1: { Allocator: new (address: string, channel: unknown, channelOptions: object) => AllocatorClient } } };
    };
    const { Allocator } = loaded.rivulet.allocator.v1;
    this.clients = options.addresses.map((address) => new Allocator(address, credentials.createInsecure(), CHANNEL));
    this.metadata.set('authorization', `Bearer ${options.serviceToken}`);
    for (const client of this.clients) stateOf(client);
  }

  open(call: OpenCall): Promise<OpenedStream> {
    const { principal, idempotencyKey, options, answerOf = '' } = call;
    return this.call('Open', { principal, idempotency_key: idempotencyKey, options_json: JSON.stringify(options), answer_of: answerOf });
  }

  retry(call: RetryCall): Promise<RetriedStream> {
    const { streamNo, epoch, attemptId, keep, reason } = call;
    return this.call('Retry', { stream_no: streamNo, epoch, attempt_id: attemptId, keep_none: keep === 'none', reason });
  }

  cancel(call: CancelCall): Promise<VerdictReply> {
    return this.call('Cancel', { stream_no: call.streamNo, by: call.by, reason: call.reason });
  }

  whyNotReady(): string | null {
    const states = this.clients.map(stateOf);
    if (states.includes(connectivityState.READY)) return null;
    const each = states.map((state, index) => `${this.options.addresses[index]} (${connectivityState[state]})`);
    return `the allocator is not reachable at ${each.join(', ')}`;
  }

  close(): void {
    for (const client of this.clients) client.close();
  }

  /**
   * A call that no allocator answered is put to the next one, within the same deadline. All of them may be repeated: `retry` by its
   * attempt, `cancel` by its arguments [APPEND-4], and an `open` whose answer was lost leaves a stream at worst that nobody writes to.
   */
  private async call<T>(method: Method, request: object): Promise<T> {
    const deadline = Date.now() + this.options.deadlineMs;
    const order = this.inTurn();
    const attempts = Math.max(ATTEMPTS_MIN, order.length);
    for (let attempt = 0; ; attempt++) {
      try {
        return await this.callOnce(order[attempt % order.length]!, method, request, deadline);
      } catch (error) {
        const failure = streamErrorOf(error as ServiceError);
        const isUnreached = failure.code === 'ALLOCATOR_UNAVAILABLE' && (error as ServiceError).code === status.UNAVAILABLE;
        if (!(isUnreached || failure.code === 'NOT_READY') || attempt + 1 >= attempts || Date.now() >= deadline) throw failure;
      }
    }
  }

  /** The connected ones first, each call beginning with another of them. */
  private inTurn(): readonly AllocatorClient[] {
    const from = this.turn++ % this.clients.length;
    const all = [...this.clients.slice(from), ...this.clients.slice(0, from)];
    const isConnected = (client: AllocatorClient): boolean => stateOf(client) === connectivityState.READY;
    return [...all.filter(isConnected), ...all.filter((client) => !isConnected(client))];
  }

  private callOnce<T>(client: AllocatorClient, method: Method, request: object, deadline: number): Promise<T> {
    return new Promise((resolve, reject) => {
      client[method](request, this.metadata, { deadline }, (error, reply) => {
        if (error) reject(error);
        else resolve(JSON.parse(reply!.reply_json) as T);
      });
    });
  }
}

/** Asking also makes an idle channel connect. */
const stateOf = (client: AllocatorClient): connectivityState => client.getChannel().getConnectivityState(true);

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
