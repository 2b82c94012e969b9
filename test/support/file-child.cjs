'use strict';
// Sends or receives a file in a process of its own and kills itself, as kill -9 does, once so many bytes are through.
// Run with `-r ./test/support/ts-hook.cjs`. It says the streamNo on stdout.
const { writeSync } = require('node:fs');
const { rivulet } = require('@rivulet/client');

/** @type {{ url: string, apiKey: string, file: string, receive?: string, killAtBytes: number }} */
const order = JSON.parse(process.argv[2] ?? '{}');
const client = rivulet({ url: order.url, token: order.apiKey });
const onProgress = (/** @type {{ bytes: number }} */ { bytes }) => { if (bytes >= order.killAtBytes) process.kill(process.pid, 'SIGKILL'); };

if (order.receive) void client.receiveFile(order.receive, order.file, { onProgress });
// Not console.log: what is in a pipe of its own would be lost with the process.
else void client.sendFile(order.file, { onProgress, onOpen: ({ streamNo }) => writeSync(1, streamNo) });
