import type { OpenOptions, VerdictReply } from '@rivulet/protocol';
import type { Producer, ProducerOptions } from './producer';
import { until } from './stop';

/** What can be sent: at once, piece by piece, or made by a function that is told when to stop. */
export type Source = Pieces | ((signal: AbortSignal) => Pieces | Promise<Pieces>);
export type Pieces = string | Uint8Array | Blob | ReadableStream<unknown> | AsyncIterable<unknown> | Iterable<unknown>;

export interface SendOptions extends OpenOptions, ProducerOptions {
  /** Opening again with the same key is the same stream [APPEND-11]. */
  idempotencyKey?: string;
  /** Gives the stream up: its readers get `final` with the reason SEND_ABORTED. */
  signal?: AbortSignal;
  /** As soon as the stream is there, before its content: readers can watch from now on. */
  onOpen?(stream: { streamNo: string; readToken: string | undefined }): void;
  /** Facts about the whole, known at its end (tokens used, a model's name): sealed into the final event. */
  finalMetadata?(): Record<string, unknown>;
}
export interface Sent { streamNo: string; verdict: VerdictReply }

/** Codes of the abort record, which readers find as `reason` of the final event. */
const SOURCE_FAILED = 'SOURCE_FAILED';
const SEND_ABORTED = 'SEND_ABORTED';
/** The caller waits for its error meanwhile, ms. */
const TELLING_MS_MAX = 10_000;
/** One write of a buffer that is there as a whole: it passes the window piece by piece. */
const PIECE_BYTES = 256 * 1024;

/** What an open takes of the options, and the type of content that is known by its form. */
export function openingOf(source: Source, options: SendOptions): OpenOptions {
  const { channel, merge, class: priority, leaseMs, ttlMs, retentionMs, limits, metadata } = options;
  const contentType = options.contentType ?? typeOf(source);
  const isBlobOfOtherBytes = source instanceof Blob && contentType?.startsWith('text/') === false;
  const form = isBlobOfOtherBytes ? merge ?? 'bytes' : merge;
  return { channel, contentType, merge: form, class: priority, leaseMs, ttlMs, retentionMs, limits, metadata };
}

function typeOf(source: Source): string | undefined {
  if (source instanceof Blob && source.type !== '') return source.type;
  return source instanceof Blob || source instanceof Uint8Array ? 'application/octet-stream' : undefined;
}

/**
 * Writes all of a source and ends the stream. The source is stopped (`return()` of an iterator, `cancel()` of a ReadableStream, the signal
 * of a function) as soon as the producer learns that the stream takes no more: a reader cancelled it, or another attempt took over.
 * @throws StreamError as the producer's calls; what the source throws, after the stream was aborted with SOURCE_FAILED; the reason of
 * `options.signal`, after SEND_ABORTED
 * @param onFailure leave: instead of an abort the stream stays as it is, for a retry
 */
export async function sendAll(producer: Producer, source: Source, options: SendOptions, onFailure: 'abort' | 'leave' = 'abort'): Promise<Sent> {
  const { streamNo, readToken } = producer;
  const stopping = new AbortController();
  const given = options.signal;
  const give = (): void => stopping.abort(given?.reason);
  const lose = (): void => stopping.abort(producer.signal.reason);
  given?.addEventListener('abort', give, { once: true });
  producer.signal.addEventListener('abort', lose, { once: true });
  if (given?.aborted) give();
  try {
    options.onOpen?.({ streamNo, readToken });
    await writeAll(producer, source, stopping.signal);
    return { streamNo, verdict: await until(producer.end(options.finalMetadata?.()), stopping.signal) };
  } catch (error) {
    if (onFailure === 'leave') producer.release();
    else await giveUp(producer, error, given);
    // A function that made the source learns of every failure: what it holds open is of no use any more.
    stopping.abort(error);
    throw error;
  } finally {
    given?.removeEventListener('abort', give);
    producer.signal.removeEventListener('abort', lose);
  }
}

async function writeAll(producer: Producer, source: Source, signal: AbortSignal): Promise<void> {
  const pieces = iteratorOf(typeof source === 'function' ? await until(source(signal), signal) : source);
  let isWhole = false;
  try {
    for (;;) {
      const next = await until(pieces.next(), signal);
      if (next.done) break;
      await until(producer.write(next.value), signal);
    }
    isWhole = true;
  } finally {
    // Not awaited: a generator returns only after its pending step, which may be what never comes.
    if (!isWhole) void stopped(pieces);
  }
}

async function stopped(pieces: Steps): Promise<void> {
  try {
    await pieces.return?.();
  } catch {
    // The source fails while it is stopped: why it was stopped is what the caller is told.
  }
}

/** Tells the readers why nothing follows. A stream that is final, or another's, needs no abort; what cannot be told its lease will tell. */
async function giveUp(producer: Producer, error: unknown, given: AbortSignal | undefined): Promise<void> {
  if (producer.signal.aborted) return;
  const message = error instanceof Error ? error.message.slice(0, 1024) : '';
  const abort = async (): Promise<unknown> => {
    if (given?.aborted) return producer.abort(SEND_ABORTED, message);
    // What the source gave before it failed is delivered.
    await producer.flush();
    return producer.abort(SOURCE_FAILED, message);
  };
  try {
    await until(abort(), AbortSignal.timeout(TELLING_MS_MAX));
  } catch {
    producer.release();
  }
}

type Steps = Pick<AsyncIterator<unknown>, 'next' | 'return'> | Pick<Iterator<unknown>, 'next' | 'return'>;

function iteratorOf(source: Pieces): Steps {
  if (typeof source === 'string') return [source].values();
  if (source instanceof Uint8Array) return slices(source);
  if (source instanceof Blob) return readerOf(source.stream());
  if ('getReader' in source) return readerOf(source);
  return Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : source[Symbol.iterator]();
}

function* slices(bytes: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += PIECE_BYTES) yield bytes.subarray(at, at + PIECE_BYTES);
}

/** Not its own iterator, which some browsers lack, and which cannot be cancelled while a read is pending. */
function readerOf(stream: ReadableStream<unknown>): Steps {
  const reader = stream.getReader();
  return {
    next: async () => {
      const { done, value } = await reader.read();
      return done ? { done, value: undefined } : { done: false, value };
    },
    return: async () => {
      await reader.cancel();
      return { done: true, value: undefined };
    },
  };
}
