import { Readable } from 'node:stream';
import { Controller, Inject, Post, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { HEADERS, StreamError } from '@rivulet/protocol';
import type { OpenOptions, VerdictReply } from '@rivulet/protocol';
import type { KeyQuota } from '@rivulet/service';
import type { WriterHeaders } from './admission';
import type { FragmentRun, Route } from './append-entry';
import { BodyReader, ClientGone, linger } from './body-reader';
import { ackOf, LineResponse } from './line-response';
import { NdjsonAppend } from './ndjson-append';
import { abortShape, cancelShape, endShape, parseShape, retryShape } from './parse-shape';
import { invalid, parseJsonAppend, parseOctetAppend, tooLarge } from './parse-append';
import { PRODUCING } from './producing';
import type { Producing } from './producing';

type Request = FastifyRequest<{ Params: { no: string } }>;

/** Bytes of a body that is too large which are read and dropped before it is refused. */
const DROP_BYTES_MAX = 32 * 1024 * 1024;

/** The edge of `/v1/streams`: HTTP in, typed values out. */
@Controller('v1/streams')
export class StreamsController {
  constructor(@Inject(PRODUCING) private readonly parts: Producing) {}

  @Post()
  async open(@Req() request: Request, @Res() reply: FastifyReply): Promise<void> {
    const { admission, allocator } = this.parts;
    const principal = await admission.opener(request.headers.authorization);
    const options = (request.body ?? {}) as OpenOptions;
    const opened = await allocator.open({ principal: principal.id, idempotencyKey: header(request, HEADERS.idempotencyKey) ?? '', options });
    answer(reply.header('location', opened.links.state), 201, opened);
  }

  @Post(':no/fragments')
  async append(@Req() request: Request, @Res() reply: FastifyReply): Promise<void> {
    const { admission, metrics } = this.parts;
    const { body } = request;
    const isStreamed = body instanceof Readable;
    try {
      const admitted = await admission.admit(request.params.no, request.headers.authorization, 'write');
      const route = await admission.route(admitted, writerOf(request));
      if (isStreamed) await this.appendStreamed(request, reply, route, body);
      else await this.acknowledge(reply, route, parseJsonAppend(body, route.rules));
    } catch (error) {
      if (isStreamed) {
        linger(request.raw, this.parts.settings.lingerMsMax);
        if (error instanceof ClientGone) return drop(reply);
      }
      metrics.refusedFor(error);
      throw error;
    }
  }

  @Post(':no/end')
  async end(@Req() request: Request, @Res() reply: FastifyReply): Promise<void> {
    const admitted = await this.parts.admission.admit(request.params.no, request.headers.authorization, 'write');
    const body = parseShape(endShape, request.body ?? {}, 'BODY_INVALID');
    answerVerdict(reply, await this.parts.verdicts.end(admitted, writerOf(request), body));
  }

  @Post(':no/abort')
  async abort(@Req() request: Request, @Res() reply: FastifyReply): Promise<void> {
    const admitted = await this.parts.admission.admit(request.params.no, request.headers.authorization, 'write');
    const body = parseShape(abortShape, request.body ?? {}, 'BODY_INVALID');
    answerVerdict(reply, await this.parts.verdicts.abort(admitted, writerOf(request), body));
  }

  @Post(':no/heartbeat')
  async heartbeat(@Req() request: Request, @Res() reply: FastifyReply): Promise<void> {
    const admitted = await this.parts.admission.admit(request.params.no, request.headers.authorization, 'write');
    answerVerdict(reply, await this.parts.verdicts.heartbeat(admitted, writerOf(request)));
  }

  @Post(':no/cancel')
  async cancel(@Req() request: Request, @Res() reply: FastifyReply): Promise<void> {
    const { streamNo, principal } = await this.parts.admission.admit(request.params.no, request.headers.authorization, 'cancel');
    const { reason = '' } = parseShape(cancelShape, request.body ?? {}, 'BODY_INVALID');
    answerVerdict(reply, await this.parts.allocator.cancel({ streamNo, by: principal.id, reason }));
  }

  @Post(':no/retries')
  async retry(@Req() request: Request, @Res() reply: FastifyReply): Promise<void> {
    const { streamNo, principal } = await this.parts.admission.admit(request.params.no, request.headers.authorization, 'write');
    const { attemptId, keep = 'all', reason = '' } = parseShape(retryShape, request.body ?? {}, 'BODY_INVALID');
    // [APPEND-12] The token says which epoch its bearer holds.
    const epoch = principal.claims?.e ?? Number(header(request, HEADERS.streamEpoch) ?? 0);
    if (!Number.isSafeInteger(epoch) || epoch < 0) throw new StreamError('OPTIONS_INVALID', { detail: 'Stream-Epoch is not a whole number from 1.' });
    answer(reply, 201, await this.parts.allocator.retry({ streamNo, epoch, attemptId, keep, reason }));
  }

  private async appendStreamed(request: Request, reply: FastifyReply, route: Route, source: Readable): Promise<void> {
    const body = new BodyReader(source, request.raw);
    if (request.headers['content-type']?.startsWith('application/x-ndjson')) {
      return new NdjsonAppend(this.parts, route, body, new LineResponse(reply, request.id)).run();
    }
    // A request that says it is too large is refused before anything of it is read.
    const said = Number(request.headers['content-length'] ?? 0);
    if (said > DROP_BYTES_MAX) throw tooLarge(route.rules, '');
    const { bodyIdleMsMax, bodyMsMax } = this.parts.settings;
    const payload = await body.collect({
      bytesMax: route.rules.fragmentBytesMax, idleMsMax: bodyIdleMsMax, wholeMsMax: bodyMsMax, dropBytesMax: DROP_BYTES_MAX,
    });
    if (payload === null) throw tooLarge(route.rules, '');
    const headers = { sequence: header(request, HEADERS.fragmentSeq), lane: header(request, HEADERS.fragmentLane) };
    return this.acknowledge(reply, route, [parseOctetAppend(payload, headers, route.rules)]);
  }

  /** [APPEND-1] Answers when all of it is durable. */
  private async acknowledge(reply: FastifyReply, route: Route, runs: FragmentRun[]): Promise<void> {
    const { appender, metrics } = this.parts;
    const [first] = runs;
    if (!first) throw invalid('fragments', 'is empty');
    if (route.quota) admit(route.quota, runs);
    metrics.took(await appender.appendWhole(route, runs));
    for (const run of runs) metrics.acknowledged(run);
    answer(reply, 200, ackOfAll(first, runs));
  }
}

/** [APPEND-13] All of it or nothing: a body that is over its quota is refused before any of it is written. */
function admit(quota: KeyQuota, runs: readonly FragmentRun[]): void {
  let bytes = 0;
  let fragments = 0;
  for (const run of runs) {
    bytes += run.bytes;
    fragments += run.payloads.length;
  }
  quota.admitAppend(bytes, fragments);
}

/** Runs of one body are consecutive, so its acknowledgement is one [APPEND-2]. */
function ackOfAll(first: FragmentRun, runs: readonly FragmentRun[]): object {
  if (runs.length === 1) return ackOf(first);
  const count = runs.reduce((sum, run) => sum + run.payloads.length, 0);
  return first.firstSeq === 0 ? { count } : { from: first.firstSeq, to: first.firstSeq + count - 1 };
}

function writerOf(request: Request): WriterHeaders {
  return { epoch: header(request, HEADERS.streamEpoch), run: header(request, HEADERS.writerRun) };
}

function header(request: Request, name: string): string | undefined {
  const value = request.headers[name];
  return typeof value === 'string' ? value : undefined;
}

/** As text: the serializer of the framework would look for a schema first. */
function answer(reply: FastifyReply, status: number, body: object): void {
  reply.code(status).header('content-type', 'application/json; charset=utf-8').header('cache-control', 'no-store').send(JSON.stringify(body));
}

function answerVerdict(reply: FastifyReply, verdict: VerdictReply): void {
  answer(reply, verdict.status === 'PENDING' ? 202 : 200, verdict);
}

/** The client is gone: there is nothing to answer, and nothing wrong here. */
function drop(reply: FastifyReply): void {
  reply.hijack();
  reply.raw.destroy();
}
