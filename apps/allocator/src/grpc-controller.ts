import { Metadata, status } from '@grpc/grpc-js';
import { Controller, Inject } from '@nestjs/common';
import { GrpcMethod, RpcException } from '@nestjs/microservices';
import { StreamError } from '@rivulet/protocol';
import { SERVICE_TOKEN_DETAIL, ServiceTokens } from '@rivulet/service';
import type { Frame } from '@rivulet/service';
import { Allocator } from './allocator';
import { FRAME } from './tokens';

interface OpenRequest { principal: string; idempotencyKey: string; optionsJson: string; answerOf: string }
interface RetryRequest { streamNo: string; epoch: number; attemptId: string; keepNone: boolean; reason: string }
interface CancelRequest { streamNo: string; by: string; reason: string }
interface JsonReply { replyJson: string }

const GRPC_STATUS: Readonly<Record<number, status>> = {
  400: status.INVALID_ARGUMENT, 401: status.UNAUTHENTICATED, 403: status.PERMISSION_DENIED, 404: status.NOT_FOUND,
  409: status.FAILED_PRECONDITION, 410: status.NOT_FOUND, 429: status.RESOURCE_EXHAUSTED, 503: status.UNAVAILABLE,
  504: status.DEADLINE_EXCEEDED,
};

/** libs/protocol/proto/allocator.proto. For our own processes: they show the service token and vouch for the principal they name. */
@Controller()
export class GrpcController {
  private readonly tokens: ServiceTokens;

  constructor(@Inject(Allocator) private readonly allocator: Allocator, @Inject(FRAME) private readonly frame: Frame) {
    this.tokens = new ServiceTokens(frame.config);
  }

  @GrpcMethod('Allocator', 'Open')
  open(request: OpenRequest, metadata: Metadata): Promise<JsonReply> {
    return this.answer(metadata, () => this.allocator.open({
      principal: request.principal, idempotencyKey: request.idempotencyKey, options: parseOptions(request.optionsJson),
      answerOf: request.answerOf,
    }));
  }

  @GrpcMethod('Allocator', 'Retry')
  retry(request: RetryRequest, metadata: Metadata): Promise<JsonReply> {
    const { streamNo, epoch, attemptId, keepNone, reason } = request;
    return this.answer(metadata, () => this.allocator.retry({ streamNo, epoch, attemptId, keep: keepNone ? 'none' : 'all', reason }));
  }

  @GrpcMethod('Allocator', 'Cancel')
  cancel({ streamNo, by, reason }: CancelRequest, metadata: Metadata): Promise<JsonReply> {
    return this.answer(metadata, () => this.allocator.cancel({ streamNo, by, reason }));
  }

  private async answer(metadata: Metadata, ask: () => Promise<unknown>): Promise<JsonReply> {
    try {
      this.admit(metadata);
      return { replyJson: JSON.stringify(await ask()) };
    } catch (error) {
      throw this.rpcError(error);
    }
  }

  private admit(metadata: Metadata): void {
    const [given] = metadata.get('authorization');
    if (!this.tokens.admits(given)) throw new StreamError('UNAUTHENTICATED', { detail: SERVICE_TOKEN_DETAIL });
  }

  /** The code and its facts travel in the metadata, so that the caller has the same StreamError again. */
  private rpcError(error: unknown): RpcException {
    const known = error instanceof StreamError ? error : new StreamError('INTERNAL');
    if (!(error instanceof StreamError)) this.frame.logger.error({ err: error }, 'a gRPC call failed');
    const metadata = new Metadata();
    metadata.set('rivulet-code', known.code);
    metadata.set('rivulet-details', asciiJson(known.details));
    return new RpcException({ code: GRPC_STATUS[known.row.status] ?? status.INTERNAL, message: known.code, metadata });
  }
}

/** Metadata values are ASCII. */
const asciiJson = (value: unknown): string =>
  JSON.stringify(value).replace(/[\u007f-\uffff]/g, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);

function parseOptions(json: string): unknown {
  if (json === '') return {};
  try {
    return JSON.parse(json);
  } catch (error) {
    throw new StreamError('BODY_INVALID', { detail: `options_json is not JSON: ${(error as Error).message}.` });
  }
}
