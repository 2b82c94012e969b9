'use strict';
// Asks one broker for its API versions with a hand-made request: needs no client library, so it works before anything is installed.
// An open port is not enough: a forwarded port of a container accepts connections long before Kafka does.
const net = require('node:net');

const API_VERSIONS = 18;
const CORRELATION_ID = 7;

function request() {
  const client = Buffer.from('rivulet-probe');
  const body = Buffer.alloc(10);
  body.writeInt16BE(API_VERSIONS, 0);
  body.writeInt16BE(0, 2);
  body.writeInt32BE(CORRELATION_ID, 4);
  body.writeInt16BE(client.length, 8);
  const size = Buffer.alloc(4);
  size.writeInt32BE(body.length + client.length, 0);
  return Buffer.concat([size, body, client]);
}

/**
 * @param {string} address host:port
 * @param {number} [timeoutMs]
 * @returns {Promise<boolean>} whether a Kafka broker answers there
 */
function brokerAnswers(address, timeoutMs = 2000) {
  const colon = address.lastIndexOf(':');
  return new Promise((resolve) => {
    const socket = net.connect({ host: address.slice(0, colon), port: Number(address.slice(colon + 1)) });
    let seen = Buffer.alloc(0);
    const finish = (answer) => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(timeoutMs, () => finish(false));
    socket.on('error', () => finish(false));
    socket.on('close', () => resolve(false));
    socket.on('connect', () => socket.write(request()));
    socket.on('data', (bytes) => {
      seen = Buffer.concat([seen, bytes]);
      if (seen.length >= 10) finish(seen.readInt32BE(4) === CORRELATION_ID && seen.readInt16BE(8) === 0);
    });
  });
}

/**
 * Waits until one of the brokers answers.
 * @param {string} brokers comma-separated host:port
 * @param {{ timeoutMs: number, isGone?: () => boolean }} options isGone: stop waiting, nothing will come
 * @returns {Promise<boolean>}
 */
async function waitForBroker(brokers, { timeoutMs, isGone = () => false }) {
  const deadline = Date.now() + timeoutMs;
  while (Date.now() < deadline && !isGone()) {
    for (const address of brokers.split(',')) if (await brokerAnswers(address.trim())) return true;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  return false;
}

module.exports = { brokerAnswers, waitForBroker };
