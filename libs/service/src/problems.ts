import type { ServerResponse } from 'node:http';
import type { ArgumentsHost, ExceptionFilter } from '@nestjs/common';
import { Catch, HttpException } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { problemOf, StreamError } from '@rivulet/protocol';
import type { ErrorCode } from '@rivulet/protocol';
import type { Frame, RouteFact } from './frame';
import { redactUrl } from './logger';

const RETRY_AFTER_MS_DEFAULT = 1_000;
/** What Fastify and Nest refuse before a route of ours sees it, by their status. */
const CODE_OF_STATUS: Readonly<Record<number, ErrorCode>> = {
  400: 'BODY_INVALID', 404: 'NOT_FOUND', 408: 'BODY_TIMEOUT', 413: 'BODY_TOO_LARGE', 415: 'CONTENT_TYPE_UNSUPPORTED', 503: 'NOT_READY',
};

/** The one place where an error becomes an answer (RFC 9457). */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  constructor(private readonly frame: Frame) {}

  catch(error: unknown, host: ArgumentsHost): void {
    const request = host.switchToHttp().getRequest<FastifyRequest>();
    const reply = host.switchToHttp().getResponse<FastifyReply>();
    const known = this.knownError(error, request, reply);
    if (!(known instanceof StreamError) || known.row.status >= 500) this.log(known, request);
    if (reply.sent || reply.raw.headersSent) {
      // The answer had begun: a cut connection is the only way left to say that it is not whole.
      reply.raw.destroy();
      return;
    }
    sendProblem(reply, known, request.id);
  }

  private knownError(error: unknown, request: FastifyRequest, reply: FastifyReply): unknown {
    if (!(error instanceof HttpException)) return error;
    const status = error.getStatus();
    if (status === 404) return missingRoute(this.frame.routes, request, reply);
    const code = CODE_OF_STATUS[status];
    return code ? new StreamError(code, { detail: `${error.message}.` }, { cause: error }) : error;
  }

  private log(error: unknown, request: FastifyRequest): void {
    const facts = { requestId: request.id, method: request.method, url: redactUrl(request.url), streamNo: streamNoOf(request), err: error };
    if (error instanceof StreamError && error.code !== 'INTERNAL') this.frame.logger.warn(facts, `answered ${error.code}`);
    else this.frame.logger.error(facts, 'answered INTERNAL');
  }
}

export function streamNoOf(request: FastifyRequest): string | undefined {
  return (request.params as { no?: string } | undefined)?.no;
}

function missingRoute(routes: readonly RouteFact[], request: FastifyRequest, reply: FastifyReply): StreamError {
  const path = request.url.split('?', 1)[0] ?? '';
  const methods = [...new Set(routes.filter((route) => covers(route.url, path)).map((route) => route.method))];
  if (methods.length === 0) return new StreamError('NOT_FOUND', { detail: `${request.method} ${path} is not a route.` });
  reply.header('allow', methods.join(', '));
  return new StreamError('METHOD_NOT_ALLOWED', { detail: `${path} takes ${methods.join(', ')}.` });
}

function covers(pattern: string, path: string): boolean {
  const wanted = pattern.split('/');
  const given = path.split('/');
  return wanted.length === given.length && wanted.every((part, i) => (part.startsWith(':') ? given[i] !== '' : part === given[i]));
}

/** @returns seconds for Retry-After, or undefined when trying again does not help */
function retryAfterSeconds(error: unknown): number | undefined {
  if (!(error instanceof StreamError) || error.row.next !== 'retry') return undefined;
  // [APPEND-13] Open streams are freed by ending one, not by waiting.
  if (error.code === 'QUOTA_EXCEEDED' && error.details.retryAfterMs === undefined) return undefined;
  return Math.max(1, Math.ceil((error.details.retryAfterMs ?? RETRY_AFTER_MS_DEFAULT) / 1_000));
}

export function sendProblem(reply: FastifyReply, error: unknown, requestId: string): void {
  const problem = problemOf(error, requestId);
  const seconds = retryAfterSeconds(error);
  if (seconds !== undefined) reply.header('retry-after', String(seconds));
  if (problem.status === 401) reply.header('www-authenticate', 'Bearer');
  // Its body never ended. After a 413 the rest is read and dropped instead: closing under a client that still sends loses it the answer.
  if (problem.status === 408) reply.header('connection', 'close');
  reply.code(problem.status).header('content-type', 'application/problem+json').header('cache-control', 'no-store').send(JSON.stringify(problem));
}

/** The same for an answer that Fastify does not hold: before routing, or after hijack. Cuts the connection when the answer had begun. */
export function sendRawProblem(response: ServerResponse, error: unknown, requestId?: string): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const problem = problemOf(error, requestId);
  const seconds = retryAfterSeconds(error);
  const body = JSON.stringify(problem);
  response.writeHead(problem.status, {
    'Content-Type': 'application/problem+json', 'Cache-Control': 'no-store', 'Content-Length': Buffer.byteLength(body),
    ...(seconds === undefined ? {} : { 'Retry-After': String(seconds) }), ...(problem.status === 401 ? { 'WWW-Authenticate': 'Bearer' } : {}),
  }).end(body);
}
