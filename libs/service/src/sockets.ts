import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { WebSocketServer } from 'ws';
import type { WebSocket } from 'ws';
import { problemOf, StreamError } from '@rivulet/protocol';
import type { Origins } from './cors';

/** @param requestId the one of the upgrade request, for logs and problems */
export type SocketHandler = (socket: WebSocket, request: IncomingMessage, requestId: string) => void;

interface SocketRoutesOptions {
  origins: Origins;
  frameBytesMax: number;
  isAuthOn: boolean;
  isDraining: () => boolean;
  requestId: (request: IncomingMessage) => string;
}

/** WebSocket routes by path. One server of `ws` per path, none of which listens itself: upgrades come from the HTTP server. */
export class SocketRoutes {
  private readonly routes = new Map<string, { server: WebSocketServer; open: SocketHandler }>();

  constructor(private readonly options: SocketRoutesOptions) {}

  /** @param path exact, e.g. `/v1/watch/ws` */
  add(path: string, open: SocketHandler): void {
    if (this.routes.has(path)) throw new Error(`two WebSocket routes for ${path}`);
    const server = new WebSocketServer({
      noServer: true,
      // A larger message ends the socket with 1009 before it is buffered.
      maxPayload: this.options.frameBytesMax,
      // Compression costs about 300 KiB per socket with zlib's defaults.
      perMessageDeflate: false,
    });
    this.routes.set(path, { server, open });
  }

  get paths(): string[] {
    return [...this.routes.keys()];
  }

  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const path = (request.url ?? '').split('?', 1)[0] ?? '';
    const route = this.routes.get(path);
    const refusal = this.refusalOf(request, route !== undefined);
    if (refusal || !route) {
      refuse(socket, refusal ?? new StreamError('NOT_FOUND'));
      return;
    }
    const requestId = this.options.requestId(request);
    route.server.handleUpgrade(request, socket, head, (ws) => {
      // Without a listener a reset of the peer would be an uncaught error; the close event that follows is what counts.
      ws.on('error', () => ws.terminate());
      route.open(ws, request, requestId);
    });
  }

  private refusalOf(request: IncomingMessage, isKnown: boolean): StreamError | null {
    if (!isKnown) return new StreamError('NOT_FOUND', { detail: 'No WebSocket here.' });
    if (this.options.isDraining()) return new StreamError('NOT_READY', { retryAfterMs: 1_000 });
    const isAllowed = this.options.isAuthOn ? this.options.origins.isAllowed(request) : this.options.origins.isLocal(request);
    return isAllowed ? null : new StreamError('FORBIDDEN', { detail: 'The Origin is not on the list RIVULET_CORS_ORIGINS.' });
  }
}

function refuse(socket: Duplex, error: StreamError): void {
  const body = JSON.stringify(problemOf(error));
  socket.on('error', () => socket.destroy());
  socket.end([
    `HTTP/1.1 ${error.row.status} ${error.code}`, 'Content-Type: application/problem+json', `Content-Length: ${Buffer.byteLength(body)}`,
    'Connection: close', '', body,
  ].join('\r\n'));
}
