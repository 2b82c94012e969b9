'use strict';
const net = require('node:net');
const { crc32 } = require('node:zlib');
// The SDK's own, so that a storm is as wide as its clients make it.
const { Backoff } = require('@rivulet/client');

const FAULTS_MAX = 20;

/** @typedef {{ streamNo: string, readToken: string, writeToken: string }} Opened */

/** A session that resumes until its final event: SSE on a plain socket, checked as it comes. */
class StormSession {
  #backoff = new Backoff();
  /** @type {net.Socket | null} */
  #socket = null;
  /** @type {NodeJS.Timeout | undefined} */
  #timer;
  #text = '';
  #cursor = '';
  #checksum = 0;
  #retryMs = 0;
  #livedFrom = 0;
  sequence = 0;
  bytes = 0;
  /** Monotonic ms of the first fragment on this connection; 0 before it. */
  contentFrom = 0;
  isFinal = false;
  /** @type {string[]} what should not have been */
  faults = [];

  /** @param {string} url of fanout @param {Opened} stream */
  constructor(url, stream) {
    this.url = new URL(url);
    this.stream = stream;
    this.finished = new Promise((resolve) => { this.finish = resolve; });
  }

  connect() {
    const { hostname, port, host } = this.url;
    const { streamNo, readToken } = this.stream;
    this.contentFrom = 0;
    this.#text = '';
    this.#livedFrom = 0;
    this.#retryMs = 0;
    const resume = this.#cursor === '' ? '' : `Last-Event-ID: ${this.#cursor}\r\n`;
    const socket = net.connect({ host: hostname, port: Number(port), noDelay: true }, () => socket.write(
      `GET /v1/watch/${streamNo}/events HTTP/1.1\r\nHost: ${host}\r\nAuthorization: Bearer ${readToken}\r\nAccept: text/event-stream\r\n${resume}\r\n`));
    this.#socket = socket;
    socket.setEncoding('utf8');
    socket.on('data', (text) => this.#read(String(text)));
    socket.on('error', () => socket.destroy());
    // The service ended the answer, the network broke, or the process died: all the same here.
    socket.on('end', () => socket.destroy());
    socket.on('close', () => this.#comeBack());
  }

  /** The network goes. */
  drop() {
    this.#socket?.resetAndDestroy();
  }

  close() {
    this.isFinal = true;
    clearTimeout(this.#timer);
    this.#socket?.destroy();
  }

  #comeBack() {
    if (this.isFinal) return;
    if (this.#livedFrom > 0) this.#backoff.disconnected(performance.now() - this.#livedFrom);
    this.#timer = setTimeout(() => this.connect(), this.#backoff.next(this.#retryMs));
  }

  /** @param {string} text */
  #read(text) {
    this.#text += text;
    for (let end = this.#text.indexOf('\n\n'); end >= 0; end = this.#text.indexOf('\n\n')) {
      const block = this.#text.slice(0, end);
      this.#text = this.#text.slice(end + 2);
      const head = /^HTTP\/1\.1 (\d+)/.exec(block);
      if (head && head[1] !== '200') this.#fault(`answered ${head[1]}`);
      const type = /^event: ?(.*)$/m.exec(block)?.[1];
      const data = /^data: ?(.*)$/m.exec(block)?.[1];
      if (type !== undefined && data !== undefined) this.#event(type, block, JSON.parse(data));
    }
  }

  /** @param {string} type @param {string} block @param {Record<string, any>} body */
  #event(type, block, body) {
    if (type === 'unavailable') {
      this.#retryMs = Number(/^retry: ?(\d+)$/m.exec(block)?.[1] ?? 0);
      this.#socket?.destroy();
      return;
    }
    this.#livedFrom ||= performance.now();
    this.#cursor = /^id: ?(.*)$/m.exec(block)?.[1] ?? this.#cursor;
    if (type === 'problem' || type === 'rewind') this.#fault(`${type} ${JSON.stringify(body)}`);
    else if (type === 'fragment') this.#fragment(body);
    else if (type === 'final') this.#end(body);
  }

  /** @param {Record<string, any>} body */
  #fragment({ from, to, text }) {
    if (from !== this.sequence + 1) this.#fault(`${from}–${to} came after ${this.sequence}`);
    this.contentFrom ||= performance.now();
    this.sequence = to;
    this.bytes += Buffer.byteLength(text);
    this.#checksum = crc32(text, this.#checksum);
  }

  /** @param {Record<string, any>} final */
  #end({ status, sequence, bytes, checksum }) {
    const seen = { status: 'ended', sequence: this.sequence, bytes: this.bytes, checksum: this.#checksum };
    const said = { status, sequence, bytes, checksum };
    if (JSON.stringify(seen) !== JSON.stringify(said)) this.#fault(`saw ${JSON.stringify(seen)} of ${JSON.stringify(said)}`);
    this.close();
    this.finish?.(undefined);
  }

  /** @param {string} what */
  #fault(what) {
    if (this.faults.length < FAULTS_MAX) this.faults.push(`${this.stream.streamNo}: ${what}`);
  }
}

module.exports = { StormSession };
