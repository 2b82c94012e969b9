import type { ProbeEvent, ProduceReply, ProduceRequest, ReaderEvent, ResetEvent, WatchReply, WatchRequest } from '@rivulet/protocol';
import {
  cursor, finalFacts, fragmentIn, listOf, merge, metadata, orNull, reference, sessionName, shape, status, streamNo, text, whole,
} from './openapi-schemas';
import type { Node } from './openapi-schemas';

/** Properties of the JSON of one message beside its `type`, and which of them may be absent. */
interface Fields { summary: string; properties: Node; optional?: readonly string[]; rest?: Node }
/** One entry for each type of a union of wire.ts: a type that is added there does not compile until it is described here. */
type FieldsOf<Union extends { type: string }> = { [T in Union['type']]: Fields };

const id: Node = { type: 'string', minLength: 1, maxLength: 64, description: 'Chosen by the client, and on every event of the subscription.' };
const epoch: Node = { type: 'integer', minimum: 1 };
const window: Node = { type: 'integer', minimum: 1, maximum: 1_000_000, description: 'Fragments sent beyond the last ack.' };
const connection: Node = { type: 'string', description: 'With session: READER.N, random per reader and its N-th connection.' };
const intervalMs: Node = { type: 'integer', minimum: 0, maximum: 60_000 };
const verdictStatus: Node = { enum: [...(status['enum'] as string[]), 'PENDING'] };

const channelCursor: Node = { type: 'string', description: 'On a channel: its cursor after this event, to continue from.' };

const events: FieldsOf<ReaderEvent> = {
  stream: {
    summary: 'First of all: what the stream is, and how it stands.',
    properties: {
      status, epoch, attempt: epoch, contentType: text, merge, channel: text, metadata,
      confirmed: { ...orNull(cursor), description: 'To a named session: what it has confirmed.' },
    },
    optional: ['confirmed'],
  },
  fragment: {
    summary: 'Fragments from..to, inclusive. Exactly one of text, base64 and items.',
    properties: { from: whole, to: whole, cursor, lane: text, text, base64: { type: 'string', contentEncoding: 'base64' }, items: { type: 'array' } },
    optional: ['lane', 'text', 'base64', 'items'],
    rest: { oneOf: ['text', 'base64', 'items'].map((name) => ({ required: [name] })) },
  },
  rewind: { summary: 'The content starts over: what came before is void.', properties: { epoch, cursor } },
  lost: { summary: 'The producer has not been heard of within its lease.', properties: {} },
  resumed: { summary: 'It is back.', properties: {} },
  final: { summary: 'The end. Nothing follows.', properties: { ...finalFacts, cursor } },
};

/** To a named session only. */
const probe: FieldsOf<ProbeEvent>['probe'] = {
  summary: 'It has had more than it confirmed for a while: confirm, or it comes again.', properties: { confirmed: orNull(cursor) },
};

/** On a channel only. */
const reset: FieldsOf<ResetEvent>['reset'] = {
  summary: 'A channel goes on from here, and not where the reader was: its open streams and from where each goes on.',
  properties: { reason: { enum: ['now', 'wide', 'gone'] }, streams: listOf(shape({ streamNo, cursor })) },
};

const watchRequest: FieldsOf<WatchRequest> = {
  auth: { summary: 'First frame; repeatable, each adds what its token allows.', properties: { token: text } },
  subscribe: {
    summary: 'Watch a stream or a channel, exactly one of them.',
    properties: { id, streamNo, channel: text, from: { ...text, description: 'A cursor of the stream, or of the channel.' }, ended: whole, session: sessionName, connection, window, intervalMs },
    optional: ['streamNo', 'channel', 'from', 'ended', 'session', 'connection', 'window', 'intervalMs'],
    rest: { oneOf: [{ required: ['streamNo'] }, { required: ['channel'] }] },
  },
  unsubscribe: { summary: 'No more events of it.', properties: { id } },
  ack: { summary: 'Cumulative; frees the window. On a channel the cursor is `streamNo:cursor`. Of a named session it is answered by `confirmed`.', properties: { id, cursor: text } },
  cancel: { summary: 'Cancel a stream; needs the scope for it.', properties: { streamNo, reason: { ...text, maxLength: 1024 } }, optional: ['reason'] },
};

const onSocket = ({ summary, properties, optional = [], rest }: Fields): Fields => (
  { summary, properties: { id, channelCursor, streamNo, ...properties }, optional: ['channelCursor', ...optional], rest }
);
const watchReply: FieldsOf<WatchReply> = {
  ready: { summary: 'A credential was accepted.', properties: {} },
  stream: onSocket(events.stream), fragment: onSocket(events.fragment), rewind: onSocket(events.rewind), lost: onSocket(events.lost),
  resumed: onSocket(events.resumed), final: onSocket(events.final),
  probe: { ...probe, properties: { id, streamNo, ...probe.properties } },
  confirmed: { summary: 'The ack of a named session is durable.', properties: { id, streamNo, session: sessionName, cursor } },
  reset: { summary: reset.summary, properties: { id, channelCursor, ...reset.properties }, optional: ['channelCursor'] },
  cancelled: { summary: 'The verdict on a cancel of this socket.', properties: { streamNo, verdict: reference('VerdictReply') } },
  problem: { summary: 'Of a subscription when it has an id: that one is over, unless it is a channel and names a stream, or it names the ack it is about (`confirming`).', properties: { id, problem: reference('Problem') }, optional: ['id'] },
};

const produceRequest: FieldsOf<ProduceRequest> = {
  auth: { summary: 'An API key, or the write token of a stream; repeatable.', properties: { token: text } },
  open: {
    summary: 'Open a stream.', properties: { id: { ...text, maxLength: 128 }, options: reference('OpenOptions'), idempotencyKey: text },
    optional: ['options', 'idempotencyKey'],
  },
  append: {
    summary: 'One fragment, or fragments.', properties: { streamNo, epoch, run: text, ...fragmentIn, fragments: listOf(reference('FragmentIn')) },
    optional: ['epoch', 'run', ...Object.keys(fragmentIn), 'fragments'],
  },
  end: {
    summary: 'End the stream.', properties: { streamNo, epoch, lastSeq: whole, checksum: whole, digest: text, metadata },
    optional: ['epoch', 'lastSeq', 'checksum', 'digest', 'metadata'],
  },
  abort: { summary: 'Fail the stream.', properties: { streamNo, epoch, code: text, message: text }, optional: ['epoch', 'message'] },
  cancel: { summary: 'Cancel the stream.', properties: { streamNo, reason: text }, optional: ['reason'] },
  heartbeat: { summary: 'Keep the lease.', properties: { streamNo, epoch }, optional: ['epoch'] },
};

const produceReply: FieldsOf<ProduceReply> = {
  ready: { summary: 'A credential was accepted; so many bytes may be on their way.', properties: { windowBytes: whole } },
  opened: {
    summary: 'The stream is open.',
    properties: {
      id: text, streamNo, epoch, writeToken: text, readToken: text,
      links: shape({ append: text, end: text, events: text, content: text, state: text }),
    },
  },
  ack: {
    summary: 'Durable: from..to of a numbered stream, count of an unnumbered one.', properties: { streamNo, from: whole, to: whole, count: whole },
    optional: ['from', 'to', 'count'], rest: { oneOf: [{ required: ['from', 'to'] }, { required: ['count'] }] },
  },
  window: { summary: '0: the socket is not read until the next one.', properties: { bytes: whole } },
  verdict: {
    summary: 'The verdict of the log.',
    properties: { kind: { enum: ['open', 'end', 'abort', 'retry', 'cancel'] }, streamNo, status: verdictStatus, sequence: whole, bytes: whole, checksum: whole },
  },
  cancelled: { summary: 'Somebody cancelled the stream: stop.', properties: { streamNo, reason: text } },
  problem: { summary: 'Of a stream or of an open, when it names one.', properties: { streamNo, id: text, problem: reference('Problem') }, optional: ['streamNo', 'id'] },
};

function framesOf(group: string, fields: Readonly<Record<string, Fields>>): Node {
  return Object.fromEntries(Object.entries(fields).map(([type, { summary, properties, optional = [], rest = {} }]) => [`${group}.${type}`, {
    name: type, title: `${group} ${type}`, summary, contentType: 'application/json',
    payload: { ...shape({ type: { const: type }, ...properties }, optional), ...rest },
  }]));
}

/** On a feed of one stream `streamNo` is not said, on one of a channel it is; the name of the event stands for `type`. */
function sseEvents(): Node {
  const trouble = {
    unavailable: 'Trouble that will pass; the response ends. Come back after `retry:`.',
    problem: 'Trouble that will not. With a streamNo it is of that stream of a channel only; else the response ends.',
  };
  const data = ({ properties, optional = [], rest = {} }: Fields): Node => ({ ...shape({ streamNo, ...properties }, ['streamNo', ...optional]), ...rest });
  return {
    ...Object.fromEntries(Object.entries({ ...events, probe, reset }).map(([type, fields]) => [`Event.${type}`, {
      name: type, title: `Event ${type}`, summary: fields.summary, contentType: 'application/json', payload: data(fields),
    }])),
    ...Object.fromEntries(Object.entries(trouble).map(([type, summary]) => [`Event.${type}`, {
      name: type, title: `Event ${type}`, summary, contentType: 'application/json', payload: reference('Problem'),
    }])),
  };
}

/** Messages of the sockets and of event streams, by group and type: `WatchReply.fragment`. */
export const frameMessages = (): Node => ({
  ...framesOf('WatchRequest', watchRequest), ...framesOf('WatchReply', watchReply), ...framesOf('ProduceRequest', produceRequest),
  ...framesOf('ProduceReply', produceReply), ...sseEvents(),
});
