import { listOf, reference, sessionName, status, streamClass, streamNo } from './openapi-schemas';
import type { Node } from './openapi-schemas';

const JSON_TYPE = 'application/json';
const asJson = (name: string): Node => ({ [JSON_TYPE]: { schema: reference(name) } });
const bytes = (type: string, description: string): Node => ({ [type]: { schema: { type: 'string', format: 'binary', description } } });
const body = (content: Node, required = false): Node => ({ requestBody: { required, content } });
const ok = (description: string, content?: Node): Node => ({ description, ...(content ? { content } : {}) });
const problem: Node = {
  description: 'A problem; its `code` says what to do. 429 and 503 carry Retry-After.',
  content: { 'application/problem+json': { schema: reference('Problem') } },
};

interface Operation { summary: string; tag: string; answers: Node; rest?: Node; security?: readonly Node[] }

const operation = ({ summary, tag, answers, rest = {}, security }: Operation): Node => ({
  summary, tags: [tag], ...rest, responses: { ...answers, default: problem }, ...(security ? { security } : {}),
});

const parameter = (place: 'path' | 'query' | 'header', name: string, schema: Node, description?: string): Node => ({
  name, in: place, required: place === 'path', schema, ...(description ? { description } : {}),
});
const whole = (minimum = 0): Node => ({ type: 'integer', minimum });
const text: Node = { type: 'string' };
const no = parameter('path', 'no', streamNo);
const streamEpoch = parameter('header', 'Stream-Epoch', whole(1), 'With an API key: the attempt meant. Default: the current one.');
const writerRun = parameter('header', 'Writer-Run', text, 'Random per producer process: another run without a retry is refused.');
const from = parameter('query', 'from', text, 'Cursor to go on after. Last-Event-ID wins over it.');
const lastEventId = parameter('header', 'Last-Event-ID', text);
const token = parameter('query', 'token', text, 'A token with the scope read, for EventSource.');
const intervalMs = parameter('query', 'intervalMs', whole(), 'Merges what comes within so many milliseconds.');
const session = parameter('query', 'session', sessionName, 'A name that outlives the connection: without a cursor it goes on after what it confirmed.');
const connection = parameter('query', 'connection', text, 'With session: READER.N, random per reader and its N-th connection. An attach of an earlier one that lands late takes nothing.');
const window = parameter('query', 'window', { ...whole(1), maximum: 1_000_000 }, 'With session: fragments beyond what is confirmed.');
const verdict = { 200: ok('The verdict of the log.', asJson('VerdictReply')), 202: ok('Not decided yet: status PENDING.', asJson('VerdictReply')) };
const verdictCall = (summary: string, shape: string | null, tag = 'Producing', parameters: Node[] = [no, streamEpoch]): Node =>
  operation({ summary, tag, answers: verdict, rest: { parameters, ...(shape ? body(asJson(shape)) : {}) } });
const events = (which: string): Node => ({
  200: ok(`Server-sent events: ${which}. The id of an event is its cursor.`, { 'text/event-stream': { schema: text } }),
});
const socket = (tag: string, summary: string): Node => ({
  get: { ...operation({ summary, tag, answers: { 101: ok('A WebSocket; its frames are in /asyncapi.json.') } }), 'x-websocket': true },
});

function producing(): Node {
  const piped = (method: string): Node => operation({
    summary: 'Open a stream, append the body at its own pace, end it at its end', tag: 'Producing',
    answers: { 200: ok('Lines: first the stream, last the verdict.', { 'application/x-ndjson': { schema: text } }) },
    rest: {
      operationId: `pipe-${method}`, ...body(bytes('*/*', 'Any bytes; an aborted body aborts the stream.')),
      parameters: [
        parameter('query', 'channel', text), parameter('query', 'contentType', text), parameter('query', 'class', streamClass), intervalMs,
        parameter('query', 'ttlMs', whole()), parameter('query', 'retentionMs', whole()), parameter('query', 'digest', text, 'SHA-256 of the whole input, hex.'),
      ],
    },
  });
  return {
    '/v1/streams': { post: operation({
      summary: 'Open a stream', tag: 'Producing', answers: { 201: ok('Open.', asJson('OpenedStream')) },
      rest: { parameters: [parameter('header', 'Idempotency-Key', text, 'The same key opens the same stream. A UUIDv7 for 24 h, others within one UTC hour.')], ...body(asJson('OpenOptions')) },
    }) },
    '/v1/streams/{no}/fragments': { post: operation({
      summary: 'Append fragments', tag: 'Producing',
      answers: { 200: ok('Durable. For NDJSON: one line per acknowledgement, while it is sent.', { ...asJson('AppendAck'), 'application/x-ndjson': { schema: reference('AppendAck') } }) },
      rest: {
        parameters: [no, streamEpoch, writerRun, parameter('header', 'Fragment-Seq', whole(1)), parameter('header', 'Fragment-Lane', text), parameter('header', 'Content-Encoding', { enum: ['gzip'] })],
        ...body({ ...asJson('AppendBody'), 'application/x-ndjson': { schema: reference('FragmentIn') }, ...bytes('application/octet-stream', 'One fragment.') }, true),
      },
    }) },
    '/v1/streams/{no}/end': { post: verdictCall('End the stream', 'EndBody') },
    '/v1/streams/{no}/abort': { post: verdictCall('Fail the stream', 'AbortBody') },
    '/v1/streams/{no}/cancel': { post: verdictCall('Cancel the stream', 'CancelBody', 'Producing', [no]) },
    '/v1/streams/{no}/heartbeat': { post: verdictCall('Keep the lease', null) },
    '/v1/streams/{no}/retries': { post: operation({
      summary: 'Start the next attempt', tag: 'Producing', answers: { 201: ok('It is yours.', asJson('RetriedStream')) },
      rest: { parameters: [no, streamEpoch], ...body(asJson('RetryBody'), true) },
    }) },
    '/v1/tokens': { post: operation({
      summary: 'Sign a token for a reader', tag: 'Producing', answers: { 201: ok('Signed.', asJson('IssuedToken')) }, rest: body(asJson('TokenBody'), true),
    }) },
    '/v1/pipe': { put: piped('put'), post: piped('post') },
    '/v1/streams/ws': socket('Producing', 'Many streams on one socket'),
  };
}

function watching(): Node {
  const content: Node = {
    200: ok('The bytes so far; with live until final. A stream that fails resets the connection.', bytes('*/*', 'The content.')),
    206: ok('A range of it.', bytes('*/*', 'The range.')),
  };
  return {
    '/v1/watch/{no}': { get: operation({
      summary: 'State of a stream', tag: 'Watching', answers: { 200: ok('State.', asJson('StreamSummary')) }, rest: { parameters: [no, token] },
    }) },
    '/v1/watch/{no}/events': { get: operation({
      summary: 'Watch a stream', tag: 'Watching',
      answers: { ...events('stream, fragment, rewind, lost, resumed, final; probe with a session'), 204: ok('The final event was seen already.') },
      rest: { parameters: [no, from, lastEventId, intervalMs, session, window, connection, token] },
    }) },
    '/v1/watch/{no}/ack': { post: operation({
      summary: 'Confirm what a named session has', tag: 'Watching', answers: { 200: ok('Durable.', asJson('ConfirmedReply')) },
      rest: { parameters: [no, token], ...body(asJson('AckBody'), true) },
    }) },
    '/v1/watch/{no}/content': { get: operation({
      summary: 'Content of a stream', tag: 'Watching', answers: content,
      rest: { parameters: [no, parameter('query', 'live', text, 'Present: go on until final.'), parameter('header', 'Range', text), token] },
    }) },
    '/v1/watch/channels/{channel}/events': { get: operation({
      summary: 'Watch every stream of a channel, present and future', tag: 'Watching', answers: events('those of its streams, with streamNo; reset'),
      rest: { parameters: [
        parameter('path', 'channel', text), parameter('query', 'from', text, 'A channel cursor (the id of an event), or `now`.'), lastEventId,
        parameter('query', 'ended', whole(), 'So many of the streams that have ended, the newest; without it all that are kept.'), intervalMs, token,
      ] },
    }) },
    '/v1/watch/ws': socket('Watching', 'Many streams and channels on one socket'),
  };
}

function plugins(): Node {
  const name = parameter('path', 'name', text);
  const routed = (method: string): Node => operation({
    summary: 'A route of the plugin\'s own', tag: 'Plugins', answers: { 200: ok('What the plugin answers; its status may be another.') },
    rest: { operationId: `route-${method}`, parameters: [name] },
  });
  return {
    '/v1/plugins/{name}/requests': { post: operation({
      summary: 'Ask a plugin; it answers on a stream', tag: 'Plugins', answers: { 202: ok('The stream is open, the request durable.', asJson('PluginAccepted')) },
      rest: { parameters: [name, parameter('header', 'Idempotency-Key', text, 'The same key is the same stream, answered once.')], ...body(asJson('PluginAsk'), true) },
    }) },
    '/v1/plugins/{name}/send': { post: operation({
      summary: 'Whether a stream of a bound channel may be opened; for allocators, which show the service token', tag: 'Plugins',
      answers: { 200: ok('What the plugin says.', asJson('PluginDecision')) }, rest: { parameters: [name], ...body(asJson('PluginOpen'), true) },
    }) },
    '/v1/plugins/{name}/routes/*': { get: routed('get'), post: routed('post') },
    '/v1/admin/plugins': { get: operation({
      summary: 'Every plugin on every host, with what is wrong and what to do', tag: 'Plugins', answers: { 200: ok('All.', asJson('PluginRows')) },
    }) },
    '/v1/admin/plugins/packages': {
      get: operation({ summary: 'What is installed: versions, roll-outs, who and when', tag: 'Plugins', answers: { 200: ok('All.', asJson('InstalledPlugins')) } }),
      post: operation({
        summary: 'Install a plugin on all hosts', tag: 'Plugins', answers: { 202: ok('Stored; every host fetches it. The same bytes again: the same answer.', asJson('InstalledPackage')) },
        rest: body({ ...bytes('application/gzip', 'A .tgz as `npm pack` makes it.'), ...bytes('application/octet-stream', 'The same.') }, true),
      }),
    },
    '/v1/admin/plugins/{name}': {
      put: operation({
        summary: 'Disable a plugin on all hosts, or enable it again', tag: 'Plugins', answers: { 200: ok('So it is desired.', asJson('PluginEnabled')) },
        rest: { parameters: [name], ...body(asJson('PluginEnabling'), true) },
      }),
      delete: operation({ summary: 'Uninstall a plugin, with its configuration', tag: 'Plugins', answers: { 204: ok('Every host stops it.') }, rest: { parameters: [name] } }),
    },
    '/v1/admin/plugins/{name}/rollback': { post: operation({
      summary: 'Take back the version on trial, or else return to the one before', tag: 'Plugins', answers: { 200: ok('What is desired now.', asJson('InstalledPlugin')) },
      rest: { parameters: [name] },
    }) },
    '/v1/admin/plugins/{name}/config': {
      get: operation({
        summary: 'The configuration of a plugin, secrets masked', tag: 'Plugins', answers: { 200: ok('As it is.', asJson('PluginConfig')) }, rest: { parameters: [name] },
      }),
      put: operation({
        summary: 'Configure a plugin on all hosts', tag: 'Plugins', answers: { 200: ok('Stored; every host starts it again with this.', asJson('PluginConfig')) },
        rest: { parameters: [name], ...body({ [JSON_TYPE]: { schema: { description: 'What the schema of the plugin takes. `[secret]` in a secret field: what is stored there stays.' } } }, true) },
      }),
    },
    '/v1/admin/plugins/{name}/answers': { get: operation({
      summary: 'What is being answered by a plugin, on all hosts, with its progress', tag: 'Plugins',
      answers: { 200: ok('The newest of each host, at most 50.', asJson('PluginAnswers')) }, rest: { parameters: [name] },
    }) },
    '/v1/admin/plugins/{name}/logs': { get: operation({
      summary: 'The newest log lines of a plugin on the host that answers', tag: 'Plugins', answers: { 200: ok('Lines.', asJson('PluginLog')) },
      rest: { parameters: [name, parameter('query', 'lines', whole(1)), parameter('query', 'since', whole(0), 'Only lines after the one with this `at`.')] },
    }) },
  };
}

function admin(): Node {
  return {
    '/v1/admin/streams': { get: operation({
      summary: 'Streams, newest first', tag: 'Admin', answers: { 200: ok('A page.', asJson('AdminStreamPage')) },
      rest: { parameters: [
        { ...parameter('query', 'status', listOf(status)), style: 'form', explode: false }, parameter('query', 'channel', text),
        parameter('query', 'class', streamClass), parameter('query', 'limit', { ...whole(1), maximum: 500, default: 50 }),
        parameter('query', 'cursor', text, '`next` of the page before.'),
      ] },
    }) },
    '/v1/admin/streams/{no}': { get: operation({
      summary: 'All that is known of a stream', tag: 'Admin', answers: { 200: ok('The stream.', asJson('AdminStream')) }, rest: { parameters: [no] },
    }) },
    '/v1/admin/partitions': { get: operation({
      summary: 'Partitions, their owners and open streams', tag: 'Admin', answers: { 200: ok('All.', asJson('AdminPartitions')) },
    }) },
    '/v1/admin/streams/{no}/cancel': { post: verdictCall('Cancel the stream', 'CancelBody', 'Admin', [no]) },
  };
}

function system(): Node {
  const open = (summary: string, answers: Node): Node => ({ get: operation({ summary, tag: 'System', answers, security: [] }) });
  return {
    '/healthz': open('Alive', { 200: ok('The event loop turns.') }),
    '/readyz': open('Ready to do its job', { 200: ok('Ready.', asJson('Readiness')), 503: ok('Not ready, and why.', asJson('Readiness')) }),
    '/metrics': open('Prometheus metrics', { 200: ok('Metrics.', { 'text/plain': { schema: text } }) }),
    '/openapi.json': open('This document', { 200: ok('OpenAPI 3.1.', { [JSON_TYPE]: { schema: { type: 'object' } } }) }),
    '/asyncapi.json': open('Messages of sockets, event streams and topics', { 200: ok('AsyncAPI 3.0.', { [JSON_TYPE]: { schema: { type: 'object' } } }) }),
  };
}

/** Every route of the system except the files of the page. Paths with `x-websocket` are WebSocket upgrades. */
export const paths = (): Node => ({ ...producing(), ...watching(), ...plugins(), ...admin(), ...system() });
