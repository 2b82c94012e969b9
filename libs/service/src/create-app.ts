import 'reflect-metadata';
import type { Server } from 'node:http';
import type { Duplex } from 'node:stream';
import type { DynamicModule } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { problemOf, StreamError } from '@rivulet/protocol';
import { addBodyParsers } from './body-parsers';
import type { Frame } from './frame';
import { NestLogger, redactUrl } from './logger';
import { ProblemFilter, sendProblem, streamNoOf } from './problems';
import { addSystemRoutes } from './system-routes';

const ANSWERS_MS_MAX = 2_000;
/**
 * Connections that wait to be accepted. Node's own 511 overflows when thousands of sessions come back in one turn of the loop: the kernel
 * drops their SYNs, and they try again after 1, 3 and 7 s. The kernel lowers this to its own limit (Linux: net.core.somaxconn, 4096).
 */
const BACKLOG = 4_096;

export interface ListenOptions {
  host: string;
  /** 0: a free one; see `app.getHttpServer().address()`. */
  port: number;
  /** Runs before the app is initialised: connectMicroservice and the like. What it connects is started before the port is bound. */
  prepare?: (app: NestFastifyApplication) => void | Promise<void>;
}

/** Builds the Nest app on Fastify, with everything every app has, and listens. Stopped by frame.drain. */
export async function createApp(rootModule: DynamicModule, frame: Frame, options: ListenOptions): Promise<NestFastifyApplication> {
  const adapter = buildAdapter(frame);
  const fastify = adapter.getInstance() as unknown as FastifyInstance;
  const answers = addHooks(fastify, frame);
  addBodyParsers(fastify, { bytesMax: frame.config.jsonBodyBytesMax, msMax: frame.config.bodyMsMax });
  addSystemRoutes(fastify, frame);
  // No global pipes, guards or interceptors: each would cost every append. The filter runs only on errors.
  const app = await NestFactory.create<NestFastifyApplication>(rootModule, adapter, {
    bodyParser: false, logger: new NestLogger(frame.logger), abortOnError: false, forceCloseConnections: true,
  });
  app.useGlobalFilters(new ProblemFilter(frame));
  await options.prepare?.(app);
  await app.startAllMicroservices();
  const server = app.getHttpServer() as Server;
  server.on('upgrade', (request, socket, head) => frame.sockets.upgrade(request, socket, head));
  server.maxConnections = frame.config.connectionsMax;
  await app.listen({ port: options.port, host: options.host, backlog: BACKLOG });
  frame.drain.add('accept', 'http', () => stopListening(server));
  // Acknowledgements that the flush has just released are still on their way out.
  frame.drain.add('membership', 'http', async () => {
    await answers.settled(ANSWERS_MS_MAX);
    await app.close();
  });
  frame.logger.info({ address: server.address() }, 'listening');
  return app;
}

function buildAdapter(frame: Frame): FastifyAdapter {
  const { config } = frame;
  return new FastifyAdapter({
    logger: false, // Fastify would make a child logger per request; we log by ourselves
    genReqId: (request: FastifyRequest['raw']) => frame.requestId(request),
    forceCloseConnections: true,
    skipMiddie: true, // Express-style middleware: unused, and a hook per request
    bodyLimit: Number.MAX_SAFE_INTEGER, // streaming bodies are unbounded; JSON has its own bound in body-parsers.ts
    // Slow headers: bounded. The whole request: not, because NDJSON and pipe bodies last as long as their stream; JSON bodies have their
    // own deadline.
    http: { headersTimeout: config.headersMsMax, connectionsCheckingInterval: Math.min(config.headersMsMax, 5_000), requestTimeout: 0 },
    requestTimeout: 0,
    // A connection on which nothing moves either way. Event streams write comments more often; routes that may be silent for longer set
    // their socket's own.
    connectionTimeout: config.connectionIdleMsMax,
    // Longer than the idle time of usual proxies (60 s), so that it is the proxy that closes and no request is lost in between.
    keepAliveTimeout: config.connectionIdleMsMax,
    routerOptions: { maxParamLength: 512 },
    clientErrorHandler: (error: Error, socket: Duplex) => refuseConnection(error, socket),
    frameworkErrors: (error: FastifyError, request: FastifyRequest, reply: FastifyReply) => {
      sendProblem(reply, new StreamError('NOT_FOUND', { detail: error.message }), request.id);
    },
  });
}

/** What is not even HTTP, or whose headers took too long. */
function refuseConnection(error: Error & { code?: string }, socket: Duplex): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const known = error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
    ? new StreamError('BODY_TIMEOUT', { detail: 'The headers took too long.' })
    : new StreamError('BODY_INVALID', { detail: `This is not an HTTP request that can be read (${error.code ?? error.message}).` });
  const body = JSON.stringify(problemOf(known));
  const head = `HTTP/1.1 ${known.row.status} ${known.code}\r\nContent-Type: application/problem+json\r\nConnection: close\r\nContent-Length: ${Buffer.byteLength(body)}`;
  socket.end(`${head}\r\n\r\n${body}`);
}

/** Counts answers that are being made, to let them out before connections are cut. */
class Answers {
  private open = 0;
  private waiters: (() => void)[] = [];

  begin(): void {
    this.open += 1;
  }

  end(): void {
    this.open -= 1;
    if (this.open > 0) return;
    for (const resolve of this.waiters.splice(0)) resolve();
  }

  settled(msMax: number): Promise<void> {
    if (this.open === 0) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, msMax);
      this.waiters.push(() => { clearTimeout(timer); resolve(); });
    });
  }
}

function addHooks(fastify: FastifyInstance, frame: Frame): Answers {
  const answers = new Answers();
  fastify.addHook('onRoute', (route) => {
    for (const method of [route.method].flat()) frame.routes.push({ method, url: route.url });
  });
  const isAuthOn = frame.config.auth === 'on';
  fastify.addHook('onRequest', (request, reply, done) => {
    const { raw } = reply;
    // Straight onto the raw response, so that hijacked answers (event streams) carry them too.
    raw.setHeader('X-Request-Id', request.id);
    raw.setHeader('Referrer-Policy', 'no-referrer');
    raw.setHeader('X-Content-Type-Options', 'nosniff');
    if (frame.drain.isDraining) raw.setHeader('Connection', 'close');
    observe(request, reply, frame, answers);
    if (frame.origins.apply(request.raw, raw)) {
      reply.hijack();
      return;
    }
    if (!isAuthOn && !frame.origins.isLocal(request.raw)) {
      sendProblem(reply, new StreamError('FORBIDDEN', { detail: 'Auth is off, so only calls to a loopback name, from no other page, are taken.' }), request.id);
      return;
    }
    done();
  });
  return answers;
}

/** `close` and not `finish`: a client that vanishes ends its request too. */
function observe(request: FastifyRequest, reply: FastifyReply, frame: Frame, answers: Answers): void {
  const startedAt = performance.now();
  answers.begin();
  reply.raw.once('close', () => {
    answers.end();
    const seconds = (performance.now() - startedAt) / 1_000;
    const { statusCode } = reply.raw;
    // The route's pattern, never the path: labels must stay few.
    const route = request.routeOptions.url ?? 'none';
    frame.metrics.httpRequestDurationSeconds.observe({ method: request.method, route, status_code: statusCode }, seconds);
    if (!frame.logger.isLevelEnabled('debug')) return;
    frame.logger.debug({
      requestId: request.id, method: request.method, url: redactUrl(request.url), streamNo: streamNoOf(request), statusCode, seconds,
    }, 'answered');
  });
}

/** No new connection; idle ones are closed. Running requests go on until the later steps. */
function stopListening(server: Server): void {
  server.close();
  server.closeIdleConnections();
}
