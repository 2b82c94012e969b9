import { randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';
import { Controller, Inject, Post, Put, Req, Res } from '@nestjs/common';
import { RouteConfig } from '@nestjs/platform-fastify';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { BodyReader, linger } from './body-reader';
import { LineResponse } from './line-response';
import { Pipe } from './pipe';
import { pipeOptions } from './pipe-options';
import { PRODUCING } from './producing';
import type { Producing } from './producing';

/** `my-model | curl -T . …/v1/pipe`: the answer begins while the body is still sent. */
@Controller('v1/pipe')
export class PipeController {
  constructor(@Inject(PRODUCING) private readonly parts: Producing) {}

  @Put()
  @RouteConfig({ streamBody: true })
  put(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    return this.pipe(request, reply);
  }

  @Post()
  @RouteConfig({ streamBody: true })
  post(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    return this.pipe(request, reply);
  }

  private async pipe(request: FastifyRequest, reply: FastifyReply): Promise<void> {
    const { admission, allocator, settings, metrics } = this.parts;
    try {
      const principal = await admission.opener(request.headers.authorization);
      const options = pipeOptions(request.query, request.headers['content-type'], settings.pipeIdleMsMax, sizeOf(request));
      const body = new BodyReader(request.body instanceof Readable ? request.body : request.raw, request.raw);
      // No idempotency key: a repeated pipe is another stream, for the same one would be written over by a second input.
      const opened = await allocator.open({ principal: principal.id, idempotencyKey: '', options: options.open });
      const admitted = await admission.admit(opened.streamNo, `Bearer ${opened.writeToken}`, 'write');
      // A run of its own: nobody else can splice fragments into the stream without a retry [JUDGE-11].
      const route = await admission.route(admitted, { run: randomUUID() });
      await new Pipe(this.parts, opened, route, options, body, new LineResponse(reply, request.id)).run();
    } catch (error) {
      metrics.refusedFor(error);
      linger(request.raw, settings.lingerMsMax);
      throw error;
    }
  }
}

/** @returns undefined for a body whose end nobody knows yet, and for one that is packed: the stream has what comes out of it */
function sizeOf({ headers }: FastifyRequest): number | undefined {
  const said = headers['content-length'];
  return said === undefined || headers['content-encoding'] !== undefined ? undefined : Number(said);
}
