// The load generator's side of the wire: plain sockets with the least work per message, so that what is measured is the service.
import net from 'node:net';
import { WebSocket } from 'ws';

/** One keep-alive HTTP/1.1 connection; `post` is awaited, never pipelined. */
export class PostSocket {
  #socket; #waiting = null; #received = Buffer.alloc(0);
  constructor(url) {
    this.url = new URL(url);
    this.#socket = net.connect({ host: this.url.hostname, port: Number(this.url.port), noDelay: true });
    this.#socket.on('data', (piece) => this.#onData(piece));
    this.#socket.on('close', () => this.#fail(new Error('connection closed')));
    this.#socket.on('error', (error) => this.#fail(error));
  }
  /** Prepares the constant part of a request. */
  request(method, path, token, contentType = 'application/json') {
    return `${method} ${path} HTTP/1.1\r\nHost: ${this.url.host}\r\nAuthorization: Bearer ${token}\r\nContent-Type: ${contentType}\r\nContent-Length: `;
  }
  /** @returns {Promise<{status: number, body: string}>} */
  send(head, body) {
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
      this.#socket.write(`${head}${Buffer.byteLength(body)}\r\n\r\n${body}`);
    });
  }
  #fail(error) { const waiting = this.#waiting; this.#waiting = null; waiting?.reject(error); }
  #onData(piece) {
    this.#received = this.#received.length === 0 ? piece : Buffer.concat([this.#received, piece]);
    const headEnd = this.#received.indexOf('\r\n\r\n');
    if (headEnd < 0) return;
    const head = this.#received.latin1Slice(0, headEnd);
    const length = Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0);
    if (this.#received.length < headEnd + 4 + length) return;
    const body = this.#received.utf8Slice(headEnd + 4, headEnd + 4 + length);
    this.#received = Buffer.alloc(0);
    const waiting = this.#waiting;
    this.#waiting = null;
    waiting?.resolve({ status: Number(head.slice(9, 12)), body });
  }
  close() { this.#socket.destroy(); }
}

/**
 * One SSE session on a plain socket. `onEvent(name, data)`; data is the text after `data: `. With `bytesPerSecond` it reads no faster,
 * until `hurry()`.
 */
export class SseSocket {
  #socket; #text = ''; #bytesPerSecond;
  constructor(url, token, onEvent, { bytesPerSecond = 0 } = {}) {
    this.#bytesPerSecond = bytesPerSecond;
    const { hostname, port, host, pathname, search } = new URL(url);
    this.opened = new Promise((resolve, reject) => {
      this.#socket = net.connect({ host: hostname, port: Number(port), noDelay: true }, () => {
        this.#socket.write(`GET ${pathname}${search} HTTP/1.1\r\nHost: ${host}\r\nAuthorization: Bearer ${token}\r\nAccept: text/event-stream\r\n\r\n`);
      });
      this.#socket.once('error', reject);
      this.#socket.setEncoding('utf8');
      this.#socket.on('data', (piece) => { resolve(); this.#onData(piece, onEvent); this.#rest(piece.length); });
    });
    this.closed = new Promise((resolve) => this.#socket.once('close', resolve));
  }
  #rest(bytes) {
    if (this.#bytesPerSecond === 0) return;
    this.#socket.pause();
    setTimeout(() => this.#socket.resume(), (bytes * 1000) / this.#bytesPerSecond);
  }
  hurry() { this.#bytesPerSecond = 0; this.#socket.resume(); }
  #onData(piece, onEvent) {
    this.#text += piece;
    for (;;) {
      const end = this.#text.indexOf('\n\n');
      if (end < 0) return;
      const block = this.#text.slice(0, end);
      this.#text = this.#text.slice(end + 2);
      const name = /^event: ?(.*)$/m.exec(block)?.[1];
      const data = /^data: ?(.*)$/m.exec(block)?.[1];
      if (name !== undefined && data !== undefined) onEvent(name, data);
    }
  }
  close() { this.#socket.destroy(); }
}

/** One NDJSON append connection: lines out as fast as the socket takes them, acknowledgements counted as they come. */
export class NdjsonSocket {
  #socket; #text = ''; acknowledged = 0;
  constructor(url, token, headers = '') {
    const { hostname, port, host, pathname } = new URL(url);
    this.#socket = net.connect({ host: hostname, port: Number(port), noDelay: true });
    this.#socket.write(`POST ${pathname} HTTP/1.1\r\nHost: ${host}\r\nAuthorization: Bearer ${token}\r\n${headers}Content-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n`);
    this.#socket.setEncoding('latin1');
    this.#socket.on('data', (piece) => this.#onData(piece));
    this.failed = new Promise((_, reject) => {
      this.#socket.once('error', reject);
      this.#socket.once('close', () => reject(new Error(`NDJSON connection closed: ${this.#text.slice(-300)}`)));
    });
    this.failed.catch(() => undefined); // whoever races it sees it; nobody else must crash on it
  }
  #onData(piece) {
    const text = this.#text + piece;
    let last = 0;
    for (const match of text.matchAll(/"to":(\d+)/g)) last = Number(match[1]);
    if (last > this.acknowledged) this.acknowledged = last;
    const problem = text.indexOf('"code"');
    if (problem >= 0) throw new Error(`NDJSON append refused: ${text.slice(problem - 100, problem + 300)}`);
    this.#text = text.slice(-40);
  }
  /** @returns {boolean} false: wait for drained() */
  write(lines) { return this.#socket.write(`${Buffer.byteLength(lines).toString(16)}\r\n${lines}\r\n`); }
  drained() { return Promise.race([new Promise((resolve) => this.#socket.once('drain', resolve)), this.failed]); }
  finish() { this.#socket.write('0\r\n\r\n'); }
  close() { this.#socket.destroy(); }
}

/** One producer WebSocket. */
export async function openProducerSocket(url, token, onMessage) {
  const socket = new WebSocket(url.replace(/^http/, 'ws'), { perMessageDeflate: false });
  await new Promise((resolve, reject) => {
    socket.once('error', reject);
    socket.once('open', () => socket.send(JSON.stringify({ type: 'auth', token })));
    socket.on('message', (bytes) => {
      const message = JSON.parse(bytes.toString());
      if (message.type === 'ready') resolve();
      else if (message.type === 'problem') reject(new Error(JSON.stringify(message)));
      else onMessage(message);
    });
  });
  return socket;
}
