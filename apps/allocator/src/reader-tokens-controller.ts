import { Body, Controller, Header, Inject, Post, Req } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import type { IssuedToken } from '@rivulet/protocol';
import { Auth } from '@rivulet/service';
import { ReaderTokens } from './reader-tokens';

/** `/v1/tokens`: for servers of applications; the key is taken in the header only. */
@Controller('v1/tokens')
export class ReaderTokensController {
  constructor(@Inject(Auth) private readonly auth: Auth, @Inject(ReaderTokens) private readonly tokens: ReaderTokens) {}

  @Post()
  @Header('cache-control', 'no-store')
  async issue(@Req() request: FastifyRequest, @Body() body: unknown): Promise<IssuedToken> {
    return this.tokens.issue(await this.auth.authenticate({ authorization: request.headers.authorization }), body);
  }
}
