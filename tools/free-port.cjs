'use strict';
const net = require('node:net');

/**
 * @param {number} port 0: any
 * @param {string} host
 * @returns {Promise<number | null>} the port if it can be bound now
 */
function bind(port, host) {
  return new Promise((resolve) => {
    const server = net.createServer();
    server.once('error', () => resolve(null));
    server.listen({ port, host, exclusive: true }, () => {
      const bound = /** @type {net.AddressInfo} */ (server.address()).port;
      server.close(() => resolve(bound));
    });
  });
}

/**
 * @param {number} [preferred]
 * @param {string} [host]
 * @returns {Promise<number>} the preferred port when it is free, otherwise one the system chose
 */
async function freePort(preferred = 0, host = '127.0.0.1') {
  const port = (await bind(preferred, host)) ?? (await bind(0, host));
  if (port === null) throw new Error(`no port can be bound on ${host}`);
  return port;
}

module.exports = { freePort };
