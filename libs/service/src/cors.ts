import type { IncomingMessage, ServerResponse } from 'node:http';
import { isLoopback } from './service-rows';

const REQUEST_HEADERS = [
  'Authorization', 'Content-Type', 'Last-Event-ID', 'Fragment-Seq', 'Idempotency-Key', 'Stream-Epoch', 'Writer-Run', 'Fragment-Lane', 'X-Request-Id', 'Range',
  'Content-Encoding', 'If-None-Match', 'If-Range',
].join(', ');
const EXPOSED_HEADERS = ['Location', 'ETag', 'Retry-After', 'Repr-Digest', 'Content-Range', 'Stream-Status', 'Stream-Size-Bytes', 'X-Request-Id'].join(', ');
const METHODS = 'GET, HEAD, POST, PUT, OPTIONS';
const PREFLIGHT_SECONDS = '600';

/** Which pages may call us [WATCH-11]: those of our own origin and those on the configured list. */
export class Origins {
  private readonly listed: ReadonlySet<string>;

  constructor(listed: readonly string[], private readonly publicUrl: string) {
    this.listed = new Set(listed);
  }

  isListed(origin: string): boolean {
    return this.listed.has('*') || this.listed.has(origin);
  }

  /** For WebSockets, which browsers open across origins without asking first [WATCH-11]. No Origin: not a browser. */
  isAllowed(request: IncomingMessage): boolean {
    const { origin, host } = request.headers;
    if (origin === undefined || this.isListed(origin) || origin === this.publicUrl) return true;
    return URL.canParse(origin) && host !== undefined && new URL(origin).host === host;
  }

  /**
   * With auth off any page could otherwise drive a developer's instance: by a plain cross-site POST, or under its own name re-bound to
   * 127.0.0.1. So the Host must be a loopback name and the Origin, if any, ours.
   */
  isLocal(request: IncomingMessage): boolean {
    const { host } = request.headers;
    if (host === undefined || !URL.canParse(`http://${host}`)) return false;
    return isLoopback(new URL(`http://${host}`).hostname.replace(/^\[|\]$/g, '')) && this.isAllowed(request);
  }

  /**
   * Sets the CORS headers of an answer on the raw response, so that hijacked answers (SSE) have them too.
   * @returns whether this was a preflight, which is thereby answered
   */
  apply(request: IncomingMessage, response: ServerResponse): boolean {
    const { origin } = request.headers;
    if (origin === undefined) return false;
    response.setHeader('Vary', 'Origin');
    const isPreflight = request.method === 'OPTIONS' && request.headers['access-control-request-method'] !== undefined;
    if (this.isListed(origin)) {
      response.setHeader('Access-Control-Allow-Origin', origin);
      response.setHeader('Access-Control-Expose-Headers', EXPOSED_HEADERS);
      if (isPreflight) {
        response.setHeader('Access-Control-Allow-Methods', METHODS);
        response.setHeader('Access-Control-Allow-Headers', REQUEST_HEADERS);
        response.setHeader('Access-Control-Max-Age', PREFLIGHT_SECONDS);
      }
    }
    if (isPreflight) response.writeHead(204, { 'Content-Length': 0 }).end();
    return isPreflight;
  }
}
