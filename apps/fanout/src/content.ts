import type { IncomingMessage, ServerResponse } from 'node:http';
import { StreamError } from '@rivulet/protocol';
import type { Principal } from '@rivulet/service';
import { sendRawProblem } from '@rivulet/service';
import { acceptsGzip, isCompressible, varyByCoding } from './coding';
import { generationOf } from './cold-reader';
import { ContentBody, cutOff } from './content-body';
import { contentHeaders, etagOf, isNotModified, mayUseRange } from './content-headers';
import { contentRange, parseRange } from './content-range';
import type { ByteSpan } from './content-range';
import type { Delivery } from './delivery';
import { PIECE_BYTES_MIN } from './gzip-body';
import type { Place } from './reader';
import type { StreamEntry } from './stream-source';

export interface ContentRequest { streamNo: string; principal: Principal; isLive: boolean }

/** The answer's head, decided before anything is read. */
interface Head { status: number; headers: Record<string, string | number>; span: ByteSpan | null; isGzip: boolean }

/** `GET /v1/watch/:no/content`: the stream as a file. @throws StreamError before the head is sent */
export async function serveContent(
  delivery: Delivery, wanted: ContentRequest, request: IncomingMessage, response: ServerResponse,
): Promise<void> {
  const entry = await delivery.open(wanted.streamNo, [wanted.principal]);
  const { compressions } = delivery.options;
  const head = headOf(entry, wanted.isLive, request.headers, compressions.isOn && acceptsGzip(request));
  varyByCoding(response);
  if (head.status === 416) {
    delivery.options.source.release(entry);
    // Goes out with the problem, which does not take part in the content's other headers.
    response.setHeader('Content-Range', head.headers['Content-Range']!);
    throw new StreamError('RANGE_NOT_SATISFIABLE', { streamNo: wanted.streamNo });
  }
  const isEmpty = head.span === null || head.span.start === head.span.until;
  if (request.method === 'HEAD' || isEmpty || response.destroyed || request.socket.destroyed) {
    delivery.options.source.release(entry);
    response.writeHead(head.status, head.headers);
    // Nothing, and yet not whole: the body never ends.
    if (isEmpty && head.span !== null && request.method !== 'HEAD' && wanted.isLive && isBroken(entry)) cutOff(response);
    else response.end();
    return;
  }
  const span = head.span!;
  const { place, byte } = placeOfByte(entry, span.start);
  const body = new ContentBody(delivery, { response, entry, place, byte, span, isLive: wanted.isLive, isGzip: head.isGzip }, {
    sendHead: () => response.writeHead(head.status, head.headers),
    sendProblem: (error) => sendRawProblem(response, error),
  });
  body.start();
}

function headOf(entry: StreamEntry, isLive: boolean, asked: IncomingMessage['headers'], maybeGzip: boolean): Head {
  const { state } = entry;
  const { bytes } = state;
  const isGrowing = isLive && state.final === null;
  // [WATCH-11] What is whole already, and large enough. Ranges are of the content itself, and live bytes are worth their haste.
  const isGzip = maybeGzip && !isGrowing && !(isLive && isBroken(entry)) && asked.range === undefined && bytes >= PIECE_BYTES_MIN
    && isCompressible(state.open.contentType);
  const headers: Head['headers'] = contentHeaders(state, isGzip);
  const etag = etagOf(state);
  if (isNotModified(asked['if-none-match'], etag)) return { status: 304, headers, span: null, isGzip };
  const range = mayUseRange(asked['if-range'] as string | undefined, etag) ? parseRange(asked.range, bytes, isGrowing) : null;
  if (range === 'unsatisfiable') {
    return { status: 416, headers: { 'Content-Range': `bytes */${bytes}` }, span: null, isGzip };
  }
  const span = range ?? { start: 0, until: isGrowing ? Infinity : bytes };
  if (!isGrowing && !isGzip && !(isLive && isBroken(entry))) headers['Content-Length'] = span.until - span.start;
  if (range === null) return { status: 200, headers, span, isGzip };
  headers['Content-Range'] = contentRange(span, state.final === null ? null : bytes);
  return { status: 206, headers, span, isGzip };
}

/** Ended otherwise than by its producer's `end`: following it is no whole content. */
export function isBroken(entry: StreamEntry): boolean {
  const { final } = entry.state;
  return final !== null && final.status !== 'ended';
}

/** The place at or before a byte from which reading begins: in memory, or at a judge position of the log, which knows its bytes. */
function placeOfByte(entry: StreamEntry, byte: number): { place: Place; byte: number } {
  const { state, view, positions } = entry;
  const generation = generationOf(state);
  const firstByte = state.bytes - view.bytes;
  if (view.next === state.next && byte >= firstByte) {
    const { sequence, before } = view.locate(byte - firstByte);
    return { place: { generation, sequence: sequence - 1, isFinished: false }, byte: firstByte + before };
  }
  const position = positions.findLast((one) => one.epoch >= generation && one.bytes <= byte);
  const sequence = position === undefined ? 0 : position.next - 1;
  return { place: { generation, sequence, isFinished: false }, byte: position?.bytes ?? 0 };
}
