import { StreamError } from '@rivulet/protocol';
import type { OpenOptions, PublicStatus } from '@rivulet/protocol';
import type { UIMessageChunk } from 'ai';
import type { Producer } from './producer';
import type { Rivulet } from './rivulet';

/** What a browser needs to watch one answer and to stop it: plain JSON, the reply of your two chat routes. */
export interface AnswerTicket {
  streamNo: string;
  /** Reads and cancels this stream, nothing else. */
  token: string;
  status: PublicStatus;
}

export interface AnswerOptions extends Omit<OpenOptions, 'contentType' | 'merge'> {
  /** The chat: by it the answer is found again after a reload. Your server decides who may read it. */
  channel: string;
  /** How long the ticket is good, ms. Default 1 hour. */
  ticketMs?: number;
}

export interface PipedAnswer {
  /** Reply with this at once; the answer goes on without the request. */
  ticket: AnswerTicket;
  /**
   * Never rejects. How the stream ended (`cancelled`: somebody stopped it), and what went wrong in the answer, for your log. Where a
   * process is frozen after its reply, hand it to what keeps it awake (`waitUntil`).
   */
  done: Promise<AnswerEnd>;
}
export interface AnswerEnd { status: PublicStatus | 'PENDING' | 'unknown'; error?: unknown }

/** Makes the chunks of one answer. */
type Answer = (signal: AbortSignal) => ReadableStream<UIMessageChunk> | Promise<ReadableStream<UIMessageChunk>>;

/** Chunks of the AI SDK as they are, one fragment each. The type of its own tells answers from other streams of the channel. */
const CONTENT_TYPE = 'application/vnd.rivulet.ui-message-chunks+json';
/** A silent model's producer learns of a stop by its next heartbeat, and a reader who stops an answer means now. */
const HEARTBEAT_MS = 400;

/**
 * Writes an answer of the AI SDK into a stream of its own, for the server of an application.
 * @param answer makes the chunks; its signal fires when a reader stops the answer: give it to the model
 * @throws StreamError when the stream cannot be opened
 */
export async function pipeUIMessageStream(
  client: Rivulet, options: AnswerOptions, answer: Answer,
): Promise<PipedAnswer> {
  const { ticketMs, ...open } = options;
  ofOneChat(open.channel);
  const producer = await client.open({ ...open, contentType: CONTENT_TYPE }, { heartbeatMs: HEARTBEAT_MS });
  try {
    const ticket = await ticketFor(client, producer.streamNo, 'open', ticketMs);
    return { ticket, done: write(producer, answer) };
  } catch (error) {
    await producer.abort('ANSWER_NOT_STARTED');
    throw error;
  }
}

/**
 * The newest answer of a chat, running or over, for the route that a page asks when it comes back.
 * @returns null when the chat has none (any more): reply 204
 */
export async function findUIMessageStream(client: Rivulet, channel: string, ticketMs?: number): Promise<AnswerTicket | null> {
  ofOneChat(channel);
  for (let cursor: string | undefined, isMore = true; isMore; ) {
    const page = await client.streams({ channel, cursor });
    const newest = page.streams.find((stream) => stream.contentType === CONTENT_TYPE && stream.status !== 'deleted');
    if (newest) return ticketFor(client, newest.streamNo, newest.status, ticketMs);
    cursor = page.next ?? undefined;
    isMore = cursor !== undefined;
  }
  return null;
}

/** Without a channel the newest answer would be anybody's. */
function ofOneChat(channel: string): void {
  if (channel === '') throw new StreamError('OPTIONS_INVALID', { option: 'channel', detail: 'The channel is the chat; it cannot be empty.' });
}

async function ticketFor(client: Rivulet, streamNo: string, status: PublicStatus, ttlMs: number | undefined): Promise<AnswerTicket> {
  const { token } = await client.issueToken({ streamNo, scope: 'read cancel', ttlMs });
  return { streamNo, token, status };
}

async function write(producer: Producer, answer: Answer): Promise<AnswerEnd> {
  const { signal } = producer;
  try {
    const chunks = (await answer(signal)).getReader();
    // A source that does not heed the signal is left all the same, also while nothing comes from it.
    const leave = (): void => void chunks.cancel(signal.reason).catch(() => undefined);
    if (signal.aborted) leave();
    else signal.addEventListener('abort', leave, { once: true });
    for (let next = await chunks.read(); !next.done; next = await chunks.read()) await producer.write(next.value);
    return { status: (await producer.end()).status };
  } catch (error) {
    return signal.aborted ? endOf(signal.reason) : giveUp(producer, error);
  }
}

/** Readers get the code alone: what a provider's error says is not for them. */
async function giveUp(producer: Producer, error: unknown): Promise<AnswerEnd> {
  try {
    return { status: (await producer.abort('ANSWER_FAILED')).status, error };
  } catch (unreachable) {
    return { status: 'unknown', error: new AggregateError([error, unreachable], 'The answer failed, and its stream could not be told.') };
  }
}

/** @param reason the StreamError that ended the producer: STREAM_FINAL names the status, others mean that somebody else writes on */
function endOf(reason: unknown): AnswerEnd {
  const { status } = (reason as { details?: { status?: PublicStatus } }).details ?? {};
  return status === 'cancelled' ? { status } : { status: status ?? 'unknown', error: reason };
}
