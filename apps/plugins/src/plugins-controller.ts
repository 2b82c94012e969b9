import { Body, Controller, Get, HttpCode, Inject, Param, Post, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { HEADERS, StreamError } from '@rivulet/protocol';
import type { SendDecision } from '@rivulet/plugin-sdk';
import { credentialsOf, SERVICE_TOKEN_DETAIL, ServiceTokens } from '@rivulet/service';
import type { Principal } from '@rivulet/service';
import { z } from 'zod';
import type { BuiltPlugins } from './build-plugins';
import { callRoute } from './plugin-route';
import type { Accepted } from './requests';
import { askSend } from './send-hook';
import { BUILT } from './tokens';

const openShape = z.object({ channel: z.string(), by: z.string(), metadata: z.record(z.unknown()) });

/** Requests to plugins, and the routes plugins have themselves. */
@Controller('v1/plugins')
export class PluginsController {
  private readonly tokens: ServiceTokens;

  constructor(@Inject(BUILT) private readonly built: BuiltPlugins) {
    this.tokens = new ServiceTokens(built.frame.config);
  }

  @Post(':name/requests')
  @HttpCode(202)
  async request(@Req() request: FastifyRequest, @Param('name') name: string, @Body() body: unknown): Promise<Accepted> {
    const idempotencyKey = request.headers[HEADERS.idempotencyKey];
    if (Array.isArray(idempotencyKey)) throw new StreamError('OPTIONS_INVALID', { option: 'Idempotency-Key', detail: 'It is there twice.' });
    return this.built.requests.accept({ plugin: name, body, principal: await this.admit(request), idempotencyKey });
  }

  @Get(':name/routes/*')
  read(@Req() request: FastifyRequest, @Res() reply: FastifyReply, @Param('name') name: string): Promise<void> {
    return this.route(request, reply, name, null);
  }

  @Post(':name/routes/*')
  write(@Req() request: FastifyRequest, @Res() reply: FastifyReply, @Param('name') name: string, @Body() body: unknown): Promise<void> {
    return this.route(request, reply, name, body);
  }

  /** [PLUGIN-6] For our own allocators, which show the service token. */
  @Post(':name/send')
  @HttpCode(200)
  async send(@Req() request: FastifyRequest, @Param('name') name: string, @Body() body: unknown): Promise<SendDecision> {
    if (!this.tokens.admits(request.headers.authorization)) throw new StreamError('UNAUTHENTICATED', { detail: SERVICE_TOKEN_DETAIL });
    const open = openShape.safeParse(body);
    if (!open.success) throw new StreamError('OPTIONS_INVALID', { option: open.error.issues[0]?.path.join('.') ?? '', detail: 'The body must be {channel, by, metadata}.' });
    return askSend(this.built.plugins.host(name), { plugin: name, input: null, ...open.data });
  }

  private async route(request: FastifyRequest, reply: FastifyReply, name: string, body: unknown): Promise<void> {
    const principal = await this.admit(request);
    const { pathname, searchParams } = new URL(request.url, 'http://plugin');
    const path = pathname.slice(pathname.indexOf('/routes/') + '/routes'.length);
    searchParams.delete('token');
    const answer = await callRoute(this.built.plugins.host(name), name, {
      method: request.method, path, query: Object.fromEntries(searchParams), body: body ?? null, by: principal.id,
    });
    reply.code(answer.status).headers(answer.headers).send(answer.body);
  }

  private async admit(request: FastifyRequest): Promise<Principal> {
    const { auth } = this.built.frame;
    const principal = await auth.authenticate(credentialsOf(request));
    auth.authorize(principal, { scope: 'open' });
    return principal;
  }
}
