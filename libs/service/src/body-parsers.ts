import { isUtf8 } from 'node:buffer';
import type { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { StreamError } from '@rivulet/protocol';

export interface BodyLimits {
  bytesMax: number;
  msMax: number;
  /** Instead of what BODY_TOO_LARGE says by itself. */
  tooLargeDetail?: string;
}
/** Route config (`@RouteConfig({ streamBody: true })`): the route takes the body as a stream whatever its type. */
interface StreamingRoute { streamBody?: boolean }

/**
 * How request bodies reach controllers:
 * - `application/json`: parsed, bounded in bytes and time; `undefined` when empty.
 * - `application/octet-stream`, `application/x-ndjson`: `request.body` is a Readable (gunzipped when the request says gzip); its limits are
 *   the route's.
 * - anything, on routes with streamBody: a Readable. Elsewhere other types are CONTENT_TYPE_UNSUPPORTED.
 */
export function addBodyParsers(fastify: FastifyInstance, limits: BodyLimits): void {
  fastify.removeAllContentTypeParsers();
  // Fastify's own parsing makes and binds an AsyncResource per request, for AsyncLocalStorage, which nothing here uses: an eighth of all
  // the CPU of a short POST. So to Fastify these methods have no body, and the hook below reads it.
  for (const method of METHODS_WITH_BODY) fastify.addHttpMethod(method, { hasBody: false, overrideExisting: true });
  fastify.addHook('preValidation', (request, _reply, done) => {
    const { raw } = request;
    if (!METHODS_WITH_BODY.includes(raw.method ?? '') || isWithoutBody(raw)) return done();
    try {
      takeBody(request, limits, done);
    } catch (error) {
      done(error as Error);
    }
  });
}

const METHODS_WITH_BODY: readonly string[] = ['POST', 'PUT', 'PATCH', 'DELETE'];

function takeBody(request: FastifyRequest, limits: BodyLimits, done: (error?: Error) => void): void {
  const { raw } = request;
  const type = (raw.headers['content-type'] ?? '').split(';', 1)[0]!.trim().toLowerCase();
  if (isStreaming(request) || type === 'application/octet-stream' || type === 'application/x-ndjson') {
    request.body = decoded(request, raw);
    done();
  } else if (type === 'application/json') {
    readJson(decoded(request, raw), limits).then((body) => {
      request.body = body;
      done();
    }, done);
  } else done(new StreamError('CONTENT_TYPE_UNSUPPORTED', { contentType: raw.headers['content-type'] ?? '' }));
}

function isWithoutBody({ headers }: IncomingMessage): boolean {
  const length = headers['content-length'];
  return headers['transfer-encoding'] === undefined && (length === undefined || length === '0');
}

const isStreaming = (request: FastifyRequest): boolean => (request.routeOptions.config as StreamingRoute).streamBody === true;

function decoded(request: FastifyRequest, payload: IncomingMessage): Readable {
  const coding = request.headers['content-encoding'];
  if (coding === undefined || coding === 'identity') return payload;
  if (coding !== 'gzip') throw new StreamError('CONTENT_TYPE_UNSUPPORTED', { detail: `The Content-Encoding ${coding} is not read here; send gzip or none.` });
  const gunzip = createGunzip();
  // Not `pipeline`: it destroys the request along with a gunzip that fails, and with it the connection that the answer needs.
  payload.once('close', () => {
    if (!payload.complete) gunzip.destroy(new Error('the client went away'));
  });
  // Whoever reads listens too; a body that nobody reads may fail as well.
  gunzip.on('error', () => payload.unpipe(gunzip));
  return payload.pipe(gunzip);
}

/** @throws StreamError BODY_TOO_LARGE, BODY_TIMEOUT, BODY_INVALID with the parser's place */
async function readJson(stream: Readable, limits: BodyLimits): Promise<unknown> {
  return parseJson(await readBody(stream, limits));
}

/**
 * A whole body in memory.
 * @throws StreamError BODY_TOO_LARGE, BODY_TIMEOUT, BODY_INVALID when it broke off
 */
export function readBody(stream: Readable, { bytesMax, msMax, tooLargeDetail }: BodyLimits): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const parts: Buffer[] = [];
    let bytes = 0;
    const stop = (error: Error): void => {
      clearTimeout(timer);
      stream.removeAllListeners('data');
      // What still comes is read and dropped, so that the answer reaches a client that is still sending; the connection ends with it.
      stream.resume();
      reject(error);
    };
    // A client that sends one byte now and then never idles: the whole body has a deadline.
    const timer = setTimeout(() => stop(new StreamError('BODY_TIMEOUT', { bodyMsMax: msMax })), msMax);
    stream.on('data', (part: Buffer) => {
      bytes += part.length;
      parts.push(part);
      if (bytes > bytesMax) stop(new StreamError('BODY_TOO_LARGE', { bytesMax, ...(tooLargeDetail ? { detail: tooLargeDetail } : {}) }));
    });
    stream.once('error', (error) => stop(new StreamError('BODY_INVALID', { detail: `The body broke off: ${error.message}.` }, { cause: error })));
    stream.once('end', () => {
      clearTimeout(timer);
      resolve(parts.length === 1 ? (parts[0] as Buffer) : Buffer.concat(parts));
    });
  });
}

function parseJson(bytes: Buffer): unknown {
  if (bytes.length === 0) return undefined;
  try {
    // Decoding would put U+FFFD in place of what is not UTF-8, and other content than was sent would be stored.
    if (!isUtf8(bytes)) throw new StreamError('UTF8_INVALID', { detail: 'The JSON body is not UTF-8.' });
    return JSON.parse(bytes.toString('utf8'));
  } catch (error) {
    if (error instanceof StreamError) throw error;
    // Node names what it met and where ("Unexpected token } in JSON at position 17").
    throw new StreamError('BODY_INVALID', { detail: `Not JSON: ${(error as Error).message}.` });
  }
}
