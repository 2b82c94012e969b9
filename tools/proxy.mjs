// One origin in front of the services. It buffers nothing in either direction and has no idle time-out: an upload may pause and an event
// stream may be silent for as long as the services allow. `node tools/proxy.mjs --help`
import http from 'node:http';
import { parseArgs } from 'node:util';
import { createProxyServer } from 'http-proxy-3';
import { Upstream, UpstreamAgent } from './proxy-upstream.mjs';

const USAGE = `node tools/proxy.mjs [--port=7100] [--host=127.0.0.1]
  --allocator=http://127.0.0.1:7101 --ingest=http://127.0.0.1:7102 --fanout=http://127.0.0.1:7103 [--plugins=http://127.0.0.1:7104]
Each takes several URLs, comma-separated, and a host name may stand for several addresses: all of them take turns. Names are looked up again every second.`;
const { values: options } = parseArgs({ options: {
  port: { type: 'string', default: '7100' },
  host: { type: 'string', default: '127.0.0.1' },
  allocator: { type: 'string', default: 'http://127.0.0.1:7101' },
  ingest: { type: 'string', default: 'http://127.0.0.1:7102' },
  fanout: { type: 'string', default: 'http://127.0.0.1:7103' },
  plugins: { type: 'string', default: '' },
  help: { type: 'boolean', default: false },
} });
if (options.help) {
  console.log(USAGE);
  process.exit(0);
}

const CONNECTIONS_MAX = 20_000;
const BACKLOG = 4_096;
const HEADERS_MS_MAX = 10_000;
const DRAIN_MS_MAX = 5_000;
const ATTEMPTS_MAX = 3;
/** Errors that mean: nothing of the request has reached a service. */
const NEVER_SENT = new Set(['ECONNREFUSED', 'EHOSTUNREACH', 'ENETUNREACH', 'ETIMEDOUT', 'ENOTFOUND']);

const allocator = new Upstream('allocator', options.allocator);
const ingest = new Upstream('ingest', options.ingest);
const fanout = new Upstream('fanout', options.fanout);
/** Optional: without plugin hosts the allocator says that there is no such route. */
const plugins = options.plugins === '' ? null : new Upstream('plugins', options.plugins);
/** First match wins. */
const ROUTES = [
  ...(plugins ? [['/v1/plugins', plugins], ['/v1/admin/plugins', plugins]] : []),
  ['/v1/streams', ingest], ['/v1/pipe', ingest], ['/v1/watch', fanout], ['/', allocator],
];
const upstreamOf = (path) => ROUTES.find(([prefix]) => prefix === '/' || path === prefix || path.startsWith(`${prefix}/`))[1];
const pathOf = (request) => request.url.split('?', 1)[0];

const agent = new UpstreamAgent();
const proxy = createProxyServer({ xfwd: true });
const upgraded = new WeakSet();

function problem(code, status, detail) {
  return JSON.stringify({ type: `urn:rivulet:error:${code}`, title: code, status, code, detail, next: status === 503 ? 'retry' : 'stop' });
}

const notReady = (upstream) => problem('NOT_READY', 503, `No instance of ${upstream.name} can be reached. Ask again after Retry-After.`);

/** The services know which pages may read their answers. This one is about nobody, and unread it is only a failed fetch. */
const FOR_ANY_PAGE = { 'access-control-allow-origin': '*', 'access-control-expose-headers': 'Retry-After' };

function answerNotReady(request, response, upstream) {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  // [WATCH-10] EventSource never tries again after a status other than 200, so trouble that will pass is told inside the stream.
  if (request.method === 'GET' && /text\/event-stream/.test(request.headers.accept ?? '')) {
    response.writeHead(200, { ...FOR_ANY_PAGE, 'content-type': 'text/event-stream', 'cache-control': 'no-cache, no-transform' });
    response.end(`retry: 1000\nevent: unavailable\ndata: ${notReady(upstream)}\n\n`);
    return;
  }
  response.writeHead(503, { ...FOR_ANY_PAGE, 'content-type': 'application/problem+json', 'retry-after': '1', 'cache-control': 'no-store' });
  response.end(notReady(upstream));
}

async function forward(request, response, upstream, attempt = 1) {
  const address = await upstream.pick();
  if (address === null) return answerNotReady(request, response, upstream);
  proxy.web(request, response, { target: upstream.target(address), agent }, (error) => {
    if (NEVER_SENT.has(error.code)) upstream.failed(address);
    // Only a request without a body can be sent again: what was read of a body is gone. A connection that was kept open may have been
    // closed by the service in the same moment (ECONNRESET), which says nothing about the service.
    const isRepeatable = request.method === 'GET' || request.method === 'HEAD';
    const isUnanswered = !response.headersSent && !response.destroyed;
    if (isRepeatable && isUnanswered && attempt < ATTEMPTS_MAX) return forward(request, response, upstream, attempt + 1);
    return answerNotReady(request, response, upstream);
  });
}

// A pipe is answered before its first byte comes. Elsewhere a body whose length is known follows its head anyway: one write for both.
const isAnsweredEarly = (request) => request.headers['transfer-encoding'] || pathOf(request) === '/v1/pipe';
proxy.on('proxyReq', (outgoing, request) => { if (isAnsweredEarly(request)) outgoing.flushHeaders(); });
proxy.on('proxyRes', (answer, _, response) => {
  // A service that breaks off in the middle says that the content is not whole; the reader must see the same, not wait for ever.
  answer.once('close', () => { if (!answer.complete) response.destroy(); });
  // Headers go out at once, also when the first byte takes its time.
  process.nextTick(() => { if (!response.headersSent) response.flushHeaders(); });
});
proxy.on('proxyReqWs', (outgoing, _, socket) => outgoing.once('upgrade', () => upgraded.add(socket)));
// The client went away: the library has already closed the other side.
proxy.on('econnreset', (_, request) => request.destroy());
// A client whose connection was reset, most often that of a WebSocket. Without a listener the library throws, and all others are cut too.
proxy.on('error', (_, request) => request.destroy());

async function readiness(response) {
  const states = await Promise.all([allocator, ingest, fanout, ...(plugins ? [plugins] : [])].map(async (upstream) => [upstream.name, (await upstream.notReady()) || 'ready']));
  const isReady = states.every(([, state]) => state === 'ready');
  response.writeHead(isReady ? 200 : 503, { 'content-type': 'application/json', ...(isReady ? {} : { 'retry-after': '1' }) });
  response.end(JSON.stringify({ status: isReady ? 'ready' : 'not ready', ...Object.fromEntries(states) }));
}

const server = http.createServer({
  // No bound on the time of a whole request: a pipe may run for hours. The services bound bodies that stand still.
  requestTimeout: 0, headersTimeout: HEADERS_MS_MAX, keepAliveTimeout: 65_000, noDelay: true,
}, (request, response) => {
  const path = pathOf(request);
  if (path === '/healthz') response.end('{"status":"ok"}');
  else if (path === '/readyz') void readiness(response);
  else if (path === '/metrics') {
    response.writeHead(404, { 'content-type': 'application/problem+json' });
    response.end(problem('NOT_FOUND', 404, 'Metrics are per instance: ask each service on its own port.'));
  } else {
    // Answered here already; a service would answer it a second time.
    delete request.headers.expect;
    void forward(request, response, upstreamOf(path));
  }
});
server.maxConnections = CONNECTIONS_MAX;

server.on('upgrade', async (request, socket, head) => {
  const upstream = upstreamOf(pathOf(request));
  const refuse = () => {
    if (upgraded.has(socket)) return;
    const body = notReady(upstream);
    socket.end(['HTTP/1.1 503 Service Unavailable', 'Content-Type: application/problem+json', 'Retry-After: 1',
      `Content-Length: ${body.length}`, 'Connection: close', '', body].join('\r\n'));
  };
  socket.on('error', () => socket.destroy());
  const address = await upstream.pick();
  if (address === null) return refuse();
  proxy.ws(request, socket, head, { target: upstream.target(address), agent: new UpstreamAgent() }, (error) => {
    if (NEVER_SENT.has(error.code)) upstream.failed(address);
    refuse();
  });
});

// Lines like those of the services.
const log = (level, msg) => console.log(JSON.stringify({ level, time: Date.now(), app: 'proxy', msg }));
server.on('error', (error) => {
  log(60, error.message);
  process.exit(1);
});
// Those who lost an instance come back all at once; beyond Node's own 511 the kernel would drop them, and they would wait for TCP.
server.listen({ port: Number(options.port), host: options.host, backlog: BACKLOG }, () => log(30, `listening on http://${options.host}:${options.port}`));

function drain() {
  server.close(() => process.exit(0));
  server.closeIdleConnections();
  setTimeout(() => process.exit(0), DRAIN_MS_MAX).unref();
}
for (const signal of ['SIGTERM', 'SIGINT']) process.once(signal, drain);
