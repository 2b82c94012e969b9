import { Controller, Get, HttpCode, Inject, Param, Post, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { StreamError } from '@rivulet/protocol';
import type { ConfirmedReply, StreamSummary } from '@rivulet/protocol';
import { credentialsOf, sendRawProblem } from '@rivulet/service';
import type { Auth, Frame } from '@rivulet/service';
import { Watch } from './watch';
import type { Watching } from './watch';
import { parseWatchQuery } from './watch-request';

export const WATCH_AUTH = Symbol('auth of watchers');
export const WATCH_LOGGER = Symbol('logger of watchers');

/** `/v1/watch…`: the edge of delivery. Streams of bytes go past Fastify, which would hold them in its own stream. */
@Controller('/v1/watch')
export class WatchController {
  constructor(
    @Inject(Watch) private readonly watch: Watch,
    @Inject(WATCH_AUTH) private readonly auth: Auth,
    @Inject(WATCH_LOGGER) private readonly logger: Frame['logger'],
  ) {}

  @Get('/:no')
  async state(@Param('no') streamNo: string, @Req() request: FastifyRequest): Promise<StreamSummary> {
    const principal = await this.auth.authenticate(credentialsOf(request));
    return this.watch.state(streamNo, principal);
  }

  @Get('/:no/events')
  events(@Param('no') streamNo: string, @Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    return this.raw(request, reply, (watching) => this.watch.events(streamNo, watching));
  }

  @Post('/:no/ack')
  @HttpCode(200)
  async ack(@Param('no') streamNo: string, @Req() request: FastifyRequest): Promise<ConfirmedReply> {
    const principal = await this.auth.authenticate(credentialsOf(request));
    return this.watch.ack(streamNo, principal, request.body);
  }

  @Get('/:no/content')
  content(@Param('no') streamNo: string, @Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    return this.raw(request, reply, (watching) => this.watch.content(streamNo, watching));
  }

  @Get('/channels/:channel/events')
  channel(@Param('channel') channel: string, @Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    return this.raw(request, reply, (watching) => this.watch.channel(channel, watching));
  }

  private async raw(request: FastifyRequest, reply: FastifyReply, answer: (watching: Watching) => Promise<void>): Promise<void> {
    reply.hijack();
    const watching: Watching = {
      request: request.raw,
      response: reply.raw,
      authenticate: () => this.auth.authenticate(credentialsOf(request)),
      query: () => parseWatchQuery(request.query, request.headers),
    };
    try {
      await answer(watching);
    } catch (error) {
      if (!(error instanceof StreamError)) this.logger.error({ requestId: request.id, err: error }, 'answered INTERNAL');
      sendRawProblem(reply.raw, error, request.id);
    }
  }
}
