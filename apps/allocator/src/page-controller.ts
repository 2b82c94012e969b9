import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { Controller, Get, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { StreamError } from '@rivulet/protocol';
import { asyncApi } from './asyncapi';
import { openApi } from './openapi';

const PUBLIC_FOLDER = join(__dirname, '..', 'public');
const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8', '.js': 'text/javascript; charset=utf-8', '.css': 'text/css; charset=utf-8', '.svg': 'image/svg+xml',
};
/** A route each: nothing else of the disk can be asked for. */
export const PAGE_FILES: readonly string[] = readdirSync(PUBLIC_FOLDER).filter((name) => extname(name) in TYPES);
/** Nothing from elsewhere, nothing inline: what a stream carries is shown as text and can never run. */
const CONTENT_SECURITY_POLICY = [
  "default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self' data:", "connect-src 'self' ws: wss:", "base-uri 'none'",
  "form-action 'none'", "frame-ancestors 'none'",
].join('; ');

interface Asset { body: Buffer; type: string; etag: string }

/** The page a newcomer sees first, and the description of the whole API. */
@Controller()
export class PageController {
  private readonly assets = new Map<string, Asset>();
  private readonly http: Asset;
  private readonly messages: Asset;

  constructor() {
    for (const name of PAGE_FILES) this.assets.set(`/${name}`, asset(readFileSync(join(PUBLIC_FOLDER, name)), TYPES[extname(name)] as string));
    this.http = asset(Buffer.from(JSON.stringify(openApi(), null, 2)), 'application/json');
    this.messages = asset(Buffer.from(JSON.stringify(asyncApi(), null, 2)), 'application/json');
  }

  @Get()
  index(@Req() request: FastifyRequest, @Res() reply: FastifyReply): void {
    this.send('/index.html', request, reply);
  }

  @Get([...PAGE_FILES])
  file(@Req() request: FastifyRequest, @Res() reply: FastifyReply): void {
    this.send(request.routeOptions.url ?? '', request, reply);
  }

  @Get('openapi.json')
  openApi(@Req() request: FastifyRequest, @Res() reply: FastifyReply): void {
    sendAsset(this.http, request, reply);
  }

  @Get('asyncapi.json')
  asyncApi(@Req() request: FastifyRequest, @Res() reply: FastifyReply): void {
    sendAsset(this.messages, request, reply);
  }

  private send(path: string, request: FastifyRequest, reply: FastifyReply): void {
    const found = this.assets.get(path);
    if (!found) throw new StreamError('NOT_FOUND', { detail: `${path} is not part of this installation.` });
    reply.header('content-security-policy', CONTENT_SECURITY_POLICY).header('x-frame-options', 'DENY');
    sendAsset(found, request, reply);
  }
}

const asset = (body: Buffer, type: string): Asset => ({ body, type, etag: `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"` });

function sendAsset({ body, type, etag }: Asset, request: FastifyRequest, reply: FastifyReply): void {
  // Asked again each time, answered 304 when unchanged: a new version is seen at once.
  reply.header('etag', etag).header('cache-control', 'no-cache');
  if (request.headers['if-none-match'] === etag) reply.code(304).send();
  else reply.header('content-type', type).send(body);
}
