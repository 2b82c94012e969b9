import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { WebSocketServer } from 'ws';
import type { WebSocket } from 'ws';
import { problemOf, StreamError, SUBPROTOCOLS } from '@rivulet/protocol';
import type { Origins } from './cors';

/** @param requestId the one of the upgrade request, for logs and problems */
export type SocketHandler = (socket: WebSocket, request: IncomingMessage, requestId: string) => void;

/** What the subprotocols of a path are called; the first of the client's list that is known is spoken. */
const SUBPROTOCOLS_DEFAULT: readonly string[] = [SUBPROTOCOLS.json];

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

  /** @param path exact, e.g. `/v1/watch/ws` @param subprotocols a client that offers none gets the first */
  add(path: string, open: SocketHandler, subprotocols: readonly string[] = SUBPROTOCOLS_DEFAULT): void {
    if (this.routes.has(path)) throw new Error(`two WebSocket routes for ${path}`);
    this.routes.set(path, { server: socketServer(this.options.frameBytesMax, subprotocols), open, subprotocols });
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
      // Without a listener a reset of the peer would be an uncaught error; the close event that follows is what counts.
      ws.on('error', () => ws.terminate());
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
export function socketServer(frameBytesMax: number, subprotocols: readonly string[]): WebSocketServer {
  return new WebSocketServer({
    noServer: true,
    // A larger message ends the socket with 1009 before it is buffered.
    maxPayload: frameBytesMax,
    // Compression costs about 300 KiB per socket with zlib's defaults.
    perMessageDeflate: false,
    handleProtocols: (offered) => spoken(offered, subprotocols) ?? false,
  });
}

function refuse(socket: Duplex, error: StreamError): void {
  const body = JSON.stringify(problemOf(error));
  socket.on('error', () => socket.destroy());
  socket.end([
    `HTTP/1.1 ${error.row.status} ${error.code}`, 'Content-Type: application/problem+json', `Content-Length: ${Buffer.byteLength(body)}`,
    'Connection: close', '', body,
  ].join('\r\n'));
}
