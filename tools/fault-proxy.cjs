'use strict';
// A TCP proxy that makes trouble on purpose, between clients and a service or between services and a Kafka broker.
//   pass       bytes go through, after delayMs
//   stall      nothing is read or written, connections stay: a network that hangs. What was on its way arrives when it passes again
//   blackhole  connections are accepted and what comes is swallowed. One that lost bytes is reset when the proxy passes again:
//              TCP has no holes
// A mode is that of the whole proxy, or of one connection by its own `set`. reset() ends connections with RST, and refuse() does not listen
// until accept(): a process that is gone, on a host that is not.
const { once } = require('node:events');
const net = require('node:net');

const HOST = '127.0.0.1';
const CONNECTIONS_MAX = 10_000;
/** Bytes on their way in one direction; beyond it the sender is not read. */
const QUEUE_BYTES_MAX = 1_048_576;

/** @typedef {'pass' | 'stall' | 'blackhole'} Mode */

/** One direction of a connection. */
class Pump {
  /** @type {{ due: number, bytes: Buffer | null }[]} null: the sender has ended */
  #queue = [];
  #queuedBytes = 0;
  /** @type {NodeJS.Timeout | undefined} */
  #timer;
  #isFull = false;

  /** @param {FaultConnection} connection @param {net.Socket} from @param {net.Socket} to */
  constructor(connection, from, to) {
    this.connection = connection;
    this.from = from;
    this.to = to;
    from.on('data', (bytes) => this.#take(bytes));
    from.on('end', () => this.#take(null));
    to.on('drain', () => {
      this.#isFull = false;
      this.flush();
    });
    from.on('close', () => clearTimeout(this.#timer));
  }

  /** @param {Buffer | null} bytes */
  #take(bytes) {
    this.#queue.push({ due: performance.now() + this.connection.delayMs, bytes });
    this.#queuedBytes += bytes?.length ?? 0;
    this.flush();
  }

  /** Sends what is due, as the mode allows, and reads on when there is room. */
  flush() {
    clearTimeout(this.#timer);
    const { mode } = this.connection;
    if (mode === 'blackhole') this.#swallow();
    while (mode === 'pass' && !this.#isFull && this.#queue.length > 0) {
      const { due, bytes } = this.#queue[0];
      const waitMs = due - performance.now();
      if (waitMs > 0) {
        this.#timer = setTimeout(() => this.flush(), waitMs);
        break;
      }
      this.#queue.shift();
      this.#queuedBytes -= bytes?.length ?? 0;
      if (bytes === null) this.to.end();
      else this.#isFull = !this.to.write(bytes);
    }
    if (mode === 'stall' || this.#isFull || this.#queuedBytes > QUEUE_BYTES_MAX) this.from.pause();
    else this.from.resume();
  }

  #swallow() {
    if (this.#queue.length > 0) this.connection.hasLostBytes = true;
    this.#queue = [];
    this.#queuedBytes = 0;
  }
}

class FaultConnection {
  hasLostBytes = false;
  #isBroken = false;

  /** @param {net.Socket} client @param {net.Socket} server @param {{ mode: Mode, delayMs: number }} state */
  constructor(client, server, { mode, delayMs }) {
    this.client = client;
    this.server = server;
    this.mode = mode;
    this.delayMs = delayMs;
    this.pumps = [new Pump(this, client, server), new Pump(this, server, client)];
    for (const socket of [client, server]) {
      socket.setNoDelay(true);
      // A network that hangs does not say that the other side has gone: that is told when it passes again.
      socket.on('error', () => this.#onBroken());
      socket.on('close', () => this.#onBroken());
    }
    this.#flush();
  }

  /** @param {Mode} mode */
  set(mode) {
    this.mode = mode;
    if (mode === 'pass' && (this.hasLostBytes || this.#isBroken)) this.reset();
    else this.#flush();
  }

  /** Ends it with RST on both sides. */
  reset() {
    this.client.resetAndDestroy();
    this.server.resetAndDestroy();
  }

  #flush() {
    for (const pump of this.pumps) pump.flush();
  }

  #onBroken() {
    this.#isBroken = true;
    // Both ended in peace: each `end` went through the pumps.
    if (this.mode === 'pass' && !(this.client.readableEnded && this.server.readableEnded)) this.reset();
  }
}

class FaultProxy {
  /** @type {Set<FaultConnection>} */
  connections = new Set();
  /** Of the proxy: new connections begin in it. @type {Mode} */
  mode = 'pass';
  /** Set by listen. */
  port = 0;
  #delayMs = 0;
  #server;

  /** @param {{ host?: string, port: number }} target */
  constructor(target) {
    this.#server = net.createServer({ allowHalfOpen: true, pauseOnConnect: true }, (client) => {
      const server = net.connect({ host: target.host ?? HOST, port: target.port, allowHalfOpen: true });
      const connection = new FaultConnection(client, server, { mode: this.mode, delayMs: this.#delayMs });
      this.connections.add(connection);
      client.once('close', () => this.connections.delete(connection));
    });
    this.#server.maxConnections = CONNECTIONS_MAX;
  }

  /** @param {number} [port] @returns {Promise<this>} */
  async listen(port = 0) {
    this.#server.listen(port, HOST);
    await once(this.#server, 'listening'); // rejects with an `error`
    this.port = /** @type {net.AddressInfo} */ (this.#server.address()).port;
    return this;
  }

  /** Resets all connections and takes no more, until accept(). @returns {Promise<void>} */
  async refuse() {
    if (!this.#server.listening) return;
    const closed = new Promise((resolve) => this.#server.close(() => resolve(undefined)));
    this.reset();
    await closed;
  }

  /** Listens again, on the same port. @returns {Promise<void>} */
  async accept() {
    if (!this.#server.listening) await this.listen(this.port);
  }

  /** For all connections, present and new. @param {Mode} mode */
  set(mode) {
    this.mode = mode;
    for (const connection of this.connections) connection.set(mode);
  }

  /** Of what comes from now on. @param {number} delayMs */
  delay(delayMs) {
    this.#delayMs = delayMs;
    for (const connection of this.connections) connection.delayMs = delayMs;
  }

  /** Ends all present connections with RST. @returns {number} how many */
  reset() {
    const count = this.connections.size;
    for (const connection of this.connections) connection.reset();
    return count;
  }

  /** @returns {Promise<void>} */
  async close() {
    await this.refuse();
  }
}

module.exports = { FaultProxy };
