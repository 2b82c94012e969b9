import { Body, Controller, Get, HttpCode, Inject, Param, Post, Query, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { StreamError } from '@rivulet/protocol';
import type { AdminStream, AdminStreamPage, CancelBody, VerdictReply } from '@rivulet/protocol';
import { Auth, credentialsOf } from '@rivulet/service';
import type { Frame, Principal, Wanted } from '@rivulet/service';
import { Allocator } from './allocator';
import { StreamList } from './stream-list';
import type { ListQuery } from './stream-list';
import { FRAME } from './tokens';

/** The admin API. Streams are read and cancelled here, never written. */
@Controller('v1/admin/streams')
export class AdminController {
  constructor(
    @Inject(Auth) private readonly auth: Auth,
    @Inject(StreamList) private readonly list: StreamList,
    @Inject(Allocator) private readonly allocator: Allocator,
    @Inject(FRAME) private readonly frame: Frame,
  ) {}

  @Get()
  async page(@Req() request: FastifyRequest, @Query() query: ListQuery): Promise<AdminStreamPage> {
    const { channel } = query;
    // What a channel has is nothing new to somebody who may read it: its feed tells the same.
    await this.admit(request, typeof channel === 'string' && channel !== '' ? { scope: 'read', channel } : { scope: 'inspect' });
    return this.list.page(query);
  }

  @Get(':no')
  async one(@Req() request: FastifyRequest, @Param('no') no: string): Promise<AdminStream> {
    await this.admit(request, { scope: 'inspect' });
    return this.list.one(no);
  }

  @Post(':no/cancel')
  @HttpCode(200)
  async cancel(
    @Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply, @Param('no') no: string, @Body() body: unknown,
  ): Promise<VerdictReply> {
    const principal = await this.admit(request, { scope: 'admin' });
    const verdict = await this.allocator.cancel({ streamNo: no, by: principal.id, reason: reasonOf(body) });
    if (verdict.status === 'PENDING') reply.code(202);
    this.frame.logger.info({ requestId: request.id, streamNo: no, by: principal.id, status: verdict.status }, 'cancelled by an operator');
    return verdict;
  }

  private async admit(request: FastifyRequest, wanted: Wanted): Promise<Principal> {
    const principal = await this.auth.authenticate(credentialsOf(request));
    this.auth.authorize(principal, wanted);
    return principal;
  }
}

function reasonOf(body: unknown): string {
  const { reason = '' } = (body ?? {}) as CancelBody;
  if (typeof reason !== 'string') throw new StreamError('OPTIONS_INVALID', { option: 'reason', detail: 'reason must be text.' });
  return reason;
}
