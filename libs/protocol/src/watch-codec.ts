import { rivulet } from './generated/watch';
import type { Problem } from './errors';
import { metadataJson, parseMetadata } from './metadata';
import { safeNumber } from './wide';
import type { Wide } from './wide';
import type { ConfirmedReply, FinalEvent, FragmentEvent, ProbeEvent, ReaderEvent, ResetEvent, StreamEvent, VerdictReply, WatchReply, WatchRequest } from './wire';

/**
 * Frames of `rivulet.v1.proto` ⇄ the shapes of wire.ts, after proto/watch.proto. Whatever stands in a JSON frame comes back from a
 * Protobuf one, except that bytes are raw.
 */
type Raw<T> = T extends { type: 'fragment' } ? Omit<T, 'base64'> & { raw?: Uint8Array } : T;
export type BinaryReply = Raw<WatchReply>;
export type BinaryEvent = Raw<ReaderEvent | ProbeEvent>;
type BinaryFragment = Raw<FragmentEvent>;

interface StreamMessage extends Omit<StreamEvent, 'type' | 'streamNo' | 'metadata'> { metadataJson: string }
interface FragmentMessage {
  from: Wide; to: Wide; cursor: string; lane?: string; text?: string | null; raw?: Uint8Array | null; items?: { json: string[] } | null;
}
interface FinalMessage extends Omit<FinalEvent, 'type' | 'streamNo' | 'metadata' | 'sequence' | 'bytes' | 'at'> {
  metadataJson: string; sequence: Wide; bytes: Wide; at: Wide;
}
interface CancelledMessage { status: string; sequence: Wide; bytes: Wide; checksum: number }
interface ProblemMessage extends Pick<Problem, 'type' | 'title' | 'status' | 'code' | 'detail' | 'next'> { factsJson: string }
interface ReplyMessage {
  id?: string | null;
  streamNo?: string;
  body?: string;
  ready?: object | null;
  stream?: StreamMessage | null;
  fragment?: FragmentMessage | null;
  rewind?: { epoch: number; cursor: string } | null;
  lost?: object | null;
  resumed?: object | null;
  final?: FinalMessage | null;
  cancelled?: CancelledMessage | null;
  problem?: ProblemMessage | null;
  confirmed?: Pick<ConfirmedReply, 'session' | 'cursor'> | null;
  probe?: { confirmed: string } | null;
  reset?: Omit<ResetEvent, 'type'> | null;
  channelCursor?: string | null;
}
interface MessageType<T> {
  encode(message: T): { finish(): Uint8Array };
  decode(bytes: Uint8Array): T;
}
type RequestMessage = { body?: string } & Record<string, object | null | undefined>;
const { WatchRequest: Request, WatchReply: Reply } =
  (rivulet as unknown as { watch: { v1: { WatchRequest: MessageType<RequestMessage>; WatchReply: MessageType<ReplyMessage> } } }).watch.v1;

export function encodeWatchRequest({ type, ...body }: WatchRequest): Uint8Array {
  return Request.encode({ [type]: body }).finish();
}

/**
 * @returns what the frame says, its values not yet checked, as after JSON.parse
 * @throws Error when the bytes are no WatchRequest this version knows
 */
export function decodeWatchRequest(frame: Uint8Array): unknown {
  const message = Request.decode(frame);
  const type = message.body;
  if (type === undefined) throw new Error('A WatchRequest without a body this version knows.');
  const body = message[type] as Record<string, unknown>;
  const fields: Record<string, unknown> = {};
  // Fields that were not sent stand on the prototype: as null where they may be absent.
  for (const name in body) if (body[name] !== null) fields[name] = body[name];
  return { type, ...fields };
}

/** A whole frame. */
export function encodeWatchReply(reply: BinaryReply): Uint8Array {
  const { id, channelCursor } = reply as { id?: string; channelCursor?: string };
  return Reply.encode({ id, channelCursor, ...messageOf(reply) }).finish();
}

/** What stands in a frame before an event of a subscription; the bytes of both together are the frame. */
export function encodeSubscriptionId(id: string, channelCursor?: string): Uint8Array {
  return Reply.encode({ id, channelCursor }).finish();
}

/** An event, the same for all subscriptions: encoded once for all that are at the head of a stream. */
export function encodeWatchEvent(event: BinaryEvent): Uint8Array {
  return Reply.encode(messageOf(event)).finish();
}

function messageOf(reply: BinaryReply | BinaryEvent): ReplyMessage {
  switch (reply.type) {
    case 'ready': return { ready: {} };
    case 'problem': return { problem: problemMessage(reply.problem) };
    case 'cancelled': return { streamNo: reply.streamNo, cancelled: reply.verdict };
    case 'reset': return { reset: reply };
    case 'confirmed': return { streamNo: reply.streamNo, confirmed: reply };
    case 'probe': return { streamNo: reply.streamNo, probe: { confirmed: reply.confirmed ?? '' } };
    case 'stream': return { streamNo: reply.streamNo, stream: streamMessage(reply) };
    case 'fragment': return { streamNo: reply.streamNo, fragment: fragmentMessage(reply) };
    case 'rewind': return { streamNo: reply.streamNo, rewind: reply };
    case 'lost': return { streamNo: reply.streamNo, lost: {} };
    case 'resumed': return { streamNo: reply.streamNo, resumed: {} };
    case 'final': return { streamNo: reply.streamNo, final: { ...reply, metadataJson: metadataJson(reply.metadata) } };
  }
}

/** '' stands for what a named session has not confirmed yet. */
function streamMessage({ metadata, confirmed, ...facts }: Omit<StreamEvent, 'type'>): StreamMessage {
  return { ...facts, metadataJson: metadataJson(metadata), ...(confirmed === undefined ? {} : { confirmed: confirmed ?? '' }) };
}

function fragmentMessage({ items, ...fragment }: BinaryFragment): FragmentMessage {
  // A fragment whose items come as JSON text already is made by encodeJsonFragment.
  return items === undefined ? fragment : { ...fragment, items: { json: items.map((item) => JSON.stringify(item)) } };
}

/** A fragment event of JSON fragments: each keeps the digits and spelling of its producer. */
export function encodeJsonFragment({ streamNo, ...event }: Omit<BinaryFragment, 'type' | 'items' | 'text' | 'raw'>, json: string[]): Uint8Array {
  return Reply.encode({ streamNo, fragment: { ...event, items: { json } } }).finish();
}

function problemMessage({ type, title, status, code, detail, next, ...facts }: Problem): ProblemMessage {
  return { type, title, status, code, detail, next, factsJson: metadataJson(facts) };
}

/** @throws Error when the bytes are no WatchReply this version knows */
export function decodeWatchReply(frame: Uint8Array): BinaryReply {
  const message = Reply.decode(frame);
  const { streamNo = '' } = message;
  const id = message.id ?? undefined;
  switch (message.body) {
    case 'ready': return { type: 'ready' };
    case 'problem': return { type: 'problem', ...(id === undefined ? {} : { id }), problem: problemOfMessage(message.problem!) };
    case 'cancelled': return { type: 'cancelled', streamNo, verdict: verdictOf(streamNo, message.cancelled!) };
    case 'confirmed': {
      const { session, cursor } = message.confirmed!;
      return { type: 'confirmed', id: id ?? '', streamNo, session, cursor };
    }
    default: return { id: id ?? '', ...(message.channelCursor ? { channelCursor: message.channelCursor } : {}), ...eventOf(message, streamNo) };
  }
}

function eventOf(message: ReplyMessage, streamNo: string): BinaryEvent | ResetEvent {
  switch (message.body) {
    case 'fragment': return { type: 'fragment', streamNo, ...fragmentOf(message.fragment!) };
    case 'reset': {
      const { reason, streams } = message.reset!;
      return { type: 'reset', reason, streams: streams.map(({ streamNo: no, cursor }) => ({ streamNo: no, cursor })) };
    }
    case 'stream': return { type: 'stream', streamNo, ...streamOf(message.stream!) };
    case 'probe': return { type: 'probe', streamNo, confirmed: message.probe!.confirmed || null };
    case 'rewind': return { type: 'rewind', streamNo, epoch: message.rewind!.epoch, cursor: message.rewind!.cursor };
    case 'lost': return { type: 'lost', streamNo };
    case 'resumed': return { type: 'resumed', streamNo };
    case 'final': return { type: 'final', streamNo, ...finalOf(message.final!) };
    default: throw new Error('A WatchReply without a body this version knows.');
  }
}

function fragmentOf({ from, to, cursor, lane, text, raw, items }: FragmentMessage): Omit<BinaryFragment, 'type' | 'streamNo'> {
  return {
    from: safeNumber(from, 'first sequence'), to: safeNumber(to, 'last sequence'), cursor, ...(lane ? { lane } : {}),
    ...(typeof text === 'string' ? { text } : {}), ...(raw ? { raw } : {}),
    ...(items ? { items: items.json.map((json) => JSON.parse(json) as unknown) } : {}),
  };
}

function streamOf(message: StreamMessage): Omit<StreamEvent, 'type' | 'streamNo'> {
  const { status, epoch, attempt, contentType, merge, channel, metadataJson: json, confirmed } = message;
  const facts = { status, epoch, attempt, contentType, merge, channel, metadata: parseMetadata(json) };
  return typeof confirmed === 'string' ? { ...facts, confirmed: confirmed || null } : facts;
}

function finalOf(message: FinalMessage): Omit<FinalEvent, 'type' | 'streamNo'> {
  const { status, reason, message: text, epoch, checksum, digest, cursor } = message;
  return {
    status, reason, message: text, epoch, sequence: safeNumber(message.sequence, 'sequence'), bytes: safeNumber(message.bytes, 'bytes'), checksum,
    digest, metadata: parseMetadata(message.metadataJson), at: safeNumber(message.at, 'at'), cursor,
  };
}

function verdictOf(streamNo: string, { status, sequence, bytes, checksum }: CancelledMessage): VerdictReply {
  return {
    streamNo, status: status as VerdictReply['status'], sequence: safeNumber(sequence, 'sequence'), bytes: safeNumber(bytes, 'bytes'), checksum,
  };
}

function problemOfMessage({ type, title, status, code, detail, next, factsJson }: ProblemMessage): Problem {
  return { ...parseMetadata(factsJson), type, title, status, code, detail, next };
}
