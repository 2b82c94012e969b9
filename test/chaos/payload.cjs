'use strict';
/**
 * Every payload says whose it is, so that a fragment of another stream, attempt or place cannot pass for the right one.
 * @param {string} label of the stream @param {number} epoch @param {number} sequence @returns {string}
 */
const payloadText = (label, epoch, sequence) => `${label}.${epoch}.${sequence}${'·'.repeat((sequence * 31) % 7)} `;

module.exports = { payloadText };
