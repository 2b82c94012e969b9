// Where one kind of service is: one or more URLs, whose names may stand for several addresses. Looked up again and again, so that an
// instance that was just started (`--scale fanout=3`) gets its share, and one that went away is forgotten.
import dns from 'node:dns/promises';
import http from 'node:http';
import net from 'node:net';

const LOOKUP_MS_MAX = 1000;
const CONNECT_MS_MAX = 2000;
const DOWN_MS = 1000;

/** Keeps connections to the upstreams; one that takes too long to open (the address of a container that is gone) is given up. */
export class UpstreamAgent extends http.Agent {
  constructor() {
    super({ keepAlive: true, noDelay: true });
  }

  createConnection(options) {
    const socket = net.connect({ ...options, noDelay: true });
    const timer = setTimeout(() => socket.destroy(Object.assign(new Error('connecting took too long'), { code: 'ETIMEDOUT' })), CONNECT_MS_MAX);
    for (const event of ['connect', 'close']) socket.once(event, () => clearTimeout(timer));
    return socket;
  }
}

export class Upstream {
  /** host:port of each instance */
  #addresses = [];
  #lookedUpAt = -Infinity;
  #next = 0;
  /** address → until when it is passed over, performance.now ms */
  #down = new Map();

  /** @param {string} name @param {string} urls comma-separated */
  constructor(name, urls) {
    this.name = name;
    this.urls = urls.split(',').map((url) => new URL(url));
  }

  /** @returns {Promise<string[]>} */
  async addresses() {
    if (performance.now() - this.#lookedUpAt < LOOKUP_MS_MAX) return this.#addresses;
    const found = await Promise.all(this.urls.map(async ({ hostname, port }) => {
      const hosts = await dns.lookup(hostname.replace(/^\[|\]$/g, ''), { all: true }).catch(() => []);
      return hosts.map(({ address }) => `${net.isIPv6(address) ? `[${address}]` : address}:${port || 80}`);
    }));
    this.#addresses = [...new Set(found.flat())].sort();
    this.#lookedUpAt = performance.now();
    return this.#addresses;
  }

  /**
   * @returns {Promise<string | null>} the next address in turn; those that just failed only when there is no other.
   *   null: the names stand for nothing now
   */
  async pick() {
    const now = performance.now();
    for (const [address, until] of this.#down) if (until <= now) this.#down.delete(address);
    const all = await this.addresses();
    const up = all.filter((address) => !this.#down.has(address));
    const choice = up.length > 0 ? up : all;
    this.#next = (this.#next + 1) % Number.MAX_SAFE_INTEGER;
    return choice[this.#next % choice.length] ?? null;
  }

  failed(address) {
    this.#down.set(address, performance.now() + DOWN_MS);
    this.#lookedUpAt = -Infinity;
  }

  target(address) {
    const { hostname, port } = new URL(`http://${address}`);
    return { protocol: 'http:', hostname: hostname.replace(/^\[|\]$/g, ''), host: address, port: port || '80' };
  }

  /** @returns {Promise<string>} '' when an instance is ready, otherwise why none is */
  async notReady() {
    const addresses = await this.addresses();
    if (addresses.length === 0) return `${this.urls.map(({ hostname }) => hostname).join(', ')} has no address`;
    const answers = await Promise.all(addresses.map(async (address) => {
      const url = `http://${address}/readyz`;
      const answer = await fetch(url, { signal: AbortSignal.timeout(CONNECT_MS_MAX) }).catch((error) => error);
      return answer.ok ? '' : `${url}: ${answer.status ?? answer.cause?.code ?? answer.message}`;
    }));
    return answers.includes('') ? '' : answers.join('; ');
  }
}
