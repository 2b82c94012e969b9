import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { WebSocketServer } from 'ws';
import type { WebSocket } from 'ws';
import { releaseWhenIdle } from './socket-deflate';
import { problemOf, StreamError, SUBPROTOCOLS } from '@rivulet/protocol';
import type { Origins } from './cors';

/** @param requestId the one of the upgrade request, for logs and problems */
export type SocketHandler = (socket: WebSocket, request: IncomingMessage, requestId: string) => void;

export interface SocketRouteOptions {
  /** Those of a path; the first of the client's list that is known is spoken. Default: JSON. */
  subprotocols?: readonly string[];
  /** permessage-deflate for clients that offer it, so many messages at once. Default 0: none. */
  compressionsMax?: number;
}
/** [WATCH-11] Messages below this are not compressed. */
const DEFLATE_BYTES_MIN = 1_024;

interface SocketRoutesOptions {
  origins: Origins;
  frameBytesMax: number;
  isAuthOn: boolean;
  isDraining: () => boolean;
  requestId: (request: IncomingMessage) => string;
}

/** WebSocket routes by path. One server of `ws` per path, none of which listens itself: upgrades come from the HTTP server. */
export class SocketRoutes {
  private readonly routes = new Map<string, Route>();

  constructor(private readonly options: SocketRoutesOptions) {}

  /** @param path exact, e.g. `/v1/watch/ws` */
  add(path: string, open: SocketHandler, options: SocketRouteOptions = {}): void {
    if (this.routes.has(path)) throw new Error(`two WebSocket routes for ${path}`);
    const { subprotocols = [SUBPROTOCOLS.json] } = options;
    this.routes.set(path, { server: socketServer(this.options.frameBytesMax, { ...options, subprotocols }), open, subprotocols });
  }

  get paths(): string[] {
    return [...this.routes.keys()];
  }

  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const path = (request.url ?? '').split('?', 1)[0] ?? '';
    const route = this.routes.get(path);
    const refusal = this.refusalOf(request, route);
    if (refusal || !route) {
      refuse(socket, refusal ?? new StreamError('NOT_FOUND'));
      return;
    }
    const requestId = this.options.requestId(request);
    route.server.handleUpgrade(request, socket, head, (ws) => {
      route.server.emit('connection', ws, request);
      route.open(ws, request, requestId);
    });
  }

  private refusalOf(request: IncomingMessage, route: Route | undefined): StreamError | null {
    if (route === undefined) return new StreamError('NOT_FOUND', { detail: 'No WebSocket here.' });
    if (this.options.isDraining()) return new StreamError('NOT_READY', { retryAfterMs: 1_000 });
    const isAllowed = this.options.isAuthOn ? this.options.origins.isAllowed(request) : this.options.origins.isLocal(request);
    if (!isAllowed) return new StreamError('FORBIDDEN', { detail: 'The Origin is not on the list RIVULET_CORS_ORIGINS.' });
    const offered = request.headers['sec-websocket-protocol'];
    if (offered === undefined || spoken(offered.split(','), route.subprotocols) !== undefined) return null;
    return new StreamError('OPTIONS_INVALID', { detail: `Sec-WebSocket-Protocol names none of ${route.subprotocols.join(', ')}.` });
  }
}

interface Route { server: WebSocketServer; open: SocketHandler; subprotocols: readonly string[] }

const spoken = (offered: Iterable<string>, known: readonly string[]): string | undefined =>
  [...offered].map((name) => name.trim()).find((name) => known.includes(name));

/** The WebSockets of one path, upgraded by hand. */
export function socketServer(frameBytesMax: number, options: SocketRouteOptions & { subprotocols: readonly string[] }): WebSocketServer {
  const { subprotocols, compressionsMax = 0 } = options;
  const server = new WebSocketServer({
    noServer: true,
    // A larger message ends the socket with 1009 before it is buffered, and before more than that is inflated of it.
    maxPayload: frameBytesMax,
    perMessageDeflate: compressionsMax > 0 && {
      // Without takeover nothing has to be kept between two messages, and nothing is.
      serverNoContextTakeover: true, clientNoContextTakeover: true,
      threshold: DEFLATE_BYTES_MIN, concurrencyLimit: compressionsMax, zlibDeflateOptions: { level: 1 },
    },
    handleProtocols: (offered) => spoken(offered, subprotocols) ?? false,
  });
  server.on('connection', (ws) => {
    // Without a listener a reset of the peer would be an uncaught error; the close event that follows is what counts.
    ws.on('error', () => ws.terminate());
    releaseWhenIdle(ws);
  });
  return server;
}

function refuse(socket: Duplex, error: StreamError): void {
  const body = JSON.stringify(problemOf(error));
  socket.on('error', () => socket.destroy());
  socket.end([
    `HTTP/1.1 ${error.row.status} ${error.code}`, 'Content-Type: application/problem+json', `Content-Length: ${Buffer.byteLength(body)}`,
    'Connection: close', '', body,
  ].join('\r\n'));
}
