import { createServer, request as httpRequest } from 'node:http';
import type { IncomingMessage, RequestOptions, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { WebSocket } from 'ws';
import { MemoryLog } from '@rivulet/log';
import { SUBPROTOCOLS } from '@rivulet/protocol';
import { Auth, Metrics, StreamNos, credentialsOf, sendRawProblem, socketServer } from '@rivulet/service';
import { CatchUp, CATCH_UP_MS } from '../../apps/fanout/src/catch-up';
import { Delivery } from '../../apps/fanout/src/delivery';
import { DeliveryMetrics } from '../../apps/fanout/src/delivery-metrics';
import { Compressions } from '../../apps/fanout/src/gzip-body';
import { KeepAlives } from '../../apps/fanout/src/keep-alives';
import { NamedSessions } from '../../apps/fanout/src/named-sessions';
import type { NamedSessionLimits } from '../../apps/fanout/src/named-sessions';
import { ScanTurns } from '../../apps/fanout/src/scan-turns';
import { SessionCursors } from '../../apps/fanout/src/session-cursors';
import { SharedFrames } from '../../apps/fanout/src/shared-frames';
import { systemTime } from '../../apps/fanout/src/time';
import type { Time } from '../../apps/fanout/src/time';
import { ViewCache } from '../../apps/fanout/src/view-cache';
import { Watch } from '../../apps/fanout/src/watch';
import { parseWatchQuery } from '../../apps/fanout/src/watch-request';
import { WatchSocket } from '../../apps/fanout/src/watch-socket';
import type { CancelPort } from '../../apps/fanout/src/watch-socket';
import { CURSORS, FRAGMENTS, MemorySource, openRecord, recordWriter } from './memory-source';

export interface WatchServerOptions {
  viewBytesMax?: number;
  frameBytesMax?: number;
  keepAliveMs?: number;
  cancel?: CancelPort['cancel'];
  sessionStreamsMax?: number;
  named?: Partial<NamedSessionLimits>;
  /** Clock of the waits of named sessions. */
  time?: Time;
  /** Another instance, on whose log this one is. */
  beside?: WatchServer;
  /** 0, 1, … */
  partitions?: number;
  compressionsMax?: number;
}

const KEY = new Uint8Array(32).fill(7);
const NOBODY: CancelPort['cancel'] = () => Promise.reject(new Error('nobody may cancel here'));

/** Delivery over HTTP and WebSocket, on a memory log and the smallest owner, without Nest. */
export class WatchServer {
  readonly log: MemoryLog;
  readonly metrics = new Metrics('test');
  readonly streamNos = new StreamNos([KEY]);
  readonly auth = new Auth({ isOn: true, apiKeys: [], tokenKeys: [KEY], tokenCacheMax: 100 });
  readonly write: ReturnType<typeof recordWriter>;
  readonly views: ViewCache;
  readonly source: MemorySource;
  readonly cursors: SessionCursors;
  readonly delivery: Delivery;
  private readonly server: Server;
  private readonly sockets;

  private constructor(options: WatchServerOptions) {
    this.sockets = socketServer(1 << 21, { subprotocols: Object.values(SUBPROTOCOLS), compressionsMax: options.compressionsMax ?? 4 });
    this.views = new ViewCache({ bytesMax: options.viewBytesMax ?? 1 << 24 });
    this.log = new MemoryLog({}, options.beside?.log);
    this.write = recordWriter(this.log);
    this.source = new MemorySource(this.log, this.views, [...Array(options.partitions ?? 1).keys()]);
    const metrics = new DeliveryMetrics(this.metrics, () => this.views.bytes);
    const time = options.time ?? systemTime;
    const logger = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };
    this.cursors = new SessionCursors({ log: this.log, topic: CURSORS, time, logger, idleMs: 60_000, appendMsMax: 5_000 });
    const limits = { streamSessionsMax: 10, partitionSessionsMax: 1_000, confirmMs: 5_000, ...options.named };
    this.delivery = new Delivery({
      source: this.source, metrics, auth: this.auth, streamNos: this.streamNos,
      turns: new ScanTurns({ log: this.log, topic: FRAGMENTS, concurrentMax: 2, onScan: (bytes) => metrics.scanned(bytes) }),
      sessions: new NamedSessions({ cursors: this.cursors, metrics, time, limits }),
      frames: new SharedFrames(), catchUp: new CatchUp(systemTime, CATCH_UP_MS), keepAlives: new KeepAlives(options.keepAliveMs),
      compressions: new Compressions(options.compressionsMax ?? 4),
      limits: { frameBytesMax: options.frameBytesMax ?? 65_536, sessionStreamsMax: options.sessionStreamsMax ?? 100 },
    });
    const watch = new Watch(this.delivery);
    this.server = createServer((request, response) => {
      const url = new URL(request.url!, 'http://x');
      const query = Object.fromEntries(url.searchParams);
      const watching = {
        request, response,
        authenticate: () => this.auth.authenticate(credentialsOf({ headers: request.headers, query })),
        query: () => parseWatchQuery(query, request.headers),
      };
      const [, , , name = '', what, last] = url.pathname.split('/');
      const answer = last === 'events' ? watch.channel(what!, watching)
        : what === undefined ? sendJson(response, watching.authenticate().then((principal) => watch.state(name, principal)))
        : what === 'ack' ? sendJson(response, watching.authenticate().then(async (principal) => watch.ack(name, principal, await jsonOf(request))))
        : what === 'content' ? watch.content(name, watching) : watch.events(name, watching);
      answer.catch((error: unknown) => sendRawProblem(response, error));
    });
    this.server.on('upgrade', (request, socket, head) => {
      const cancelPort = { cancel: options.cancel ?? NOBODY };
      this.sockets.handleUpgrade(request, socket, head, (ws) => {
        this.sockets.emit('connection', ws, request);
        new WatchSocket(this.delivery, cancelPort, ws);
      });
    });
  }

  static async start(options: WatchServerOptions = {}): Promise<WatchServer> {
    const one = new WatchServer(options);
    if (options.beside === undefined) await MemorySource.topic(one.log, options.partitions);
    one.source.start();
    await new Promise<void>((resolve) => one.server.listen(0, '127.0.0.1', resolve));
    return one;
  }

  get address(): string {
    return `127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** The service's side of each WebSocket. */
  get clients(): ReadonlySet<WebSocket> {
    return this.sockets.clients;
  }

  /** A stream that is open and folded, and a token to read it. */
  async open(options: Parameters<typeof openRecord>[0] = {}): Promise<{ no: string; token: string; url: string }> {
    const open = openRecord(options);
    const no = this.streamNos.issue({ time: Date.now(), partition: 0 });
    await this.write(no, open);
    await this.source.caughtUp();
    const token = await this.auth.mintRead({ streamNo: no, open, openedAt: Date.now() });
    return { no, token, url: `http://${this.address}/v1/watch/${no}` };
  }

  /** Writes and waits until it is folded. */
  async put(...args: Parameters<WatchServer['write']>): Promise<void> {
    await this.write(...args);
    await this.source.caughtUp();
  }

  async metric(name: string): Promise<number> {
    const text = await this.metrics.registry.getSingleMetricAsString(`rivulet_${name}`);
    return Number(/ ([\d.e+]+)$/m.exec(text)?.[1] ?? NaN);
  }

  async stop(): Promise<void> {
    this.delivery.drain();
    await this.source.stop();
    for (const socket of this.sockets.clients) socket.terminate();
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
    this.cursors.close();
    await this.log.close();
  }
}

async function sendJson(response: ServerResponse, answer: Promise<unknown>): Promise<void> {
  const body = JSON.stringify(await answer);
  response.writeHead(200, { 'content-type': 'application/json' }).end(body);
}

async function jsonOf(request: IncomingMessage): Promise<unknown> {
  return JSON.parse(String(await bodyOf(request)));
}

/** The response, its body untouched: nothing is read before the test asks for it. */
export function get(url: string, token: string, headers: RequestOptions['headers'] = {}, method = 'GET'): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const request = httpRequest(url, { method, agent: false, headers: { authorization: `Bearer ${token}`, ...headers } }, resolve);
    request.on('error', reject).end();
  });
}

/** @throws when the body is cut off */
export async function bodyOf(response: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of response) parts.push(part as Buffer);
  return Buffer.concat(parts);
}

export interface SseEvent { event: string; id?: string; data: Record<string, unknown> }

/** Events as they come; `next` waits for one of a kind. */
export class SseReader {
  readonly events: SseEvent[] = [];
  text = '';
  isEnded = false;
  private rest = '';
  private wake: () => void = () => undefined;

  constructor(readonly response: IncomingMessage) {
    response.setEncoding('utf8');
    response.on('data', (text: string) => this.take(text));
    response.on('close', () => {
      this.isEnded = true;
      this.wake();
    });
    response.on('error', () => undefined);
  }

  async until(isSeen: (reader: SseReader) => boolean): Promise<this> {
    while (!isSeen(this)) {
      if (this.isEnded) throw new Error(`ended after ${this.text.slice(-400)}`);
      await new Promise<void>((resolve) => { this.wake = resolve; });
    }
    return this;
  }

  named(name: string): SseEvent[] {
    return this.events.filter(({ event }) => event === name);
  }

  async ended(): Promise<this> {
    while (!this.isEnded) await new Promise<void>((resolve) => { this.wake = resolve; });
    return this;
  }

  private take(text: string): void {
    this.text += text;
    const blocks = (this.rest + text).split('\n\n');
    this.rest = blocks.pop()!;
    for (const block of blocks) {
      const pairs = block.split('\n').map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)] as const);
      const fields: Record<string, string> = Object.fromEntries(pairs);
      if (fields['event'] === undefined) continue;
      this.events.push({ event: fields['event'], id: fields['id'], data: JSON.parse(fields['data']!) as Record<string, unknown> });
    }
    this.wake();
  }
}

const servers: WatchServer[] = [];

/** A server that stopServers() ends. */
export async function startServer(options: WatchServerOptions = {}): Promise<WatchServer> {
  const server = await WatchServer.start(options);
  servers.push(server);
  return server;
}

/** For afterEach. */
export async function stopServers(): Promise<void> {
  for (const server of servers.splice(0)) await server.stop();
}
