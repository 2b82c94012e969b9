import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Controller, Get, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { StreamError } from '@rivulet/protocol';
import { openApi } from './openapi';

const PUBLIC_FOLDER = join(__dirname, '..', 'public');
/** Nothing from elsewhere, nothing inline: what a stream carries is shown as text and can never run. */
const CONTENT_SECURITY_POLICY = [
  "default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self' data:", "connect-src 'self' ws: wss:", "base-uri 'none'",
  "form-action 'none'", "frame-ancestors 'none'",
].join('; ');

/** Every file of the page, by name, and its type. */
const FILES: Record<string, string> = {
  'index.html': 'text/html', 'style.css': 'text/css', 'favicon.svg': 'image/svg+xml',
  'app.js': 'text/javascript', 'client.js': 'text/javascript', 'pane.js': 'text/javascript', 'samples.js': 'text/javascript',
};

interface Asset { body: Buffer; type: string; etag: string }

/** The page a newcomer sees first, and the description of the whole API. */
@Controller()
export class PageController {
  private readonly assets = new Map<string, Asset>();
  private readonly description: Asset;

  constructor() {
    for (const [name, type] of Object.entries(FILES)) {
      const path = join(PUBLIC_FOLDER, name);
      if (existsSync(path)) this.assets.set(name, asset(readFileSync(path), `${type}; charset=utf-8`));
    }
    this.description = asset(Buffer.from(JSON.stringify(openApi(), null, 2)), 'application/json');
  }

  @Get()
  index(@Req() request: FastifyRequest, @Res() reply: FastifyReply): void {
    this.send('index.html', request, reply);
  }

  @Get(Object.keys(FILES))
  file(@Req() request: FastifyRequest, @Res() reply: FastifyReply): void {
    this.send(request.url.slice(1).replace(/\?.*$/, ''), request, reply);
  }

  @Get('openapi.json')
  openApi(@Req() request: FastifyRequest, @Res() reply: FastifyReply): void {
    sendAsset(this.description, request, reply);
  }

  private send(name: string, request: FastifyRequest, reply: FastifyReply): void {
    const found = this.assets.get(name);
    if (!found) throw new StreamError('NOT_FOUND', { detail: `${name} is not part of this installation.` });
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
