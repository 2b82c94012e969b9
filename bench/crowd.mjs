// Many SSE sessions of one stream, read with the least work: only the last id of what came counts. See fan-out.mjs.
// fork(…, [JSON of {url, token, sessions}]): says 'opened', and on any message answers {least, sum} of the sessions' last sequences.
import net from 'node:net';

const { url, token, sessions } = JSON.parse(process.argv[2]);
const { hostname, port, host, pathname } = new URL(url);
const MARK = 'id: 1.';
/** Enough for an id that a chunk cuts in two. */
const TAIL = 40;

const last = new Array(sessions).fill(0);

function open(index) {
  return new Promise((resolve, reject) => {
    const socket = net.connect({ host: hostname, port: Number(port), noDelay: true }, () => {
      socket.write(`GET ${pathname} HTTP/1.1\r\nHost: ${host}\r\nAuthorization: Bearer ${token}\r\nAccept: text/event-stream\r\n\r\n`);
    });
    let tail = '';
    socket.setEncoding('latin1');
    socket.on('data', (piece) => {
      resolve();
      const text = tail + piece;
      tail = text.slice(-TAIL);
      const at = text.lastIndexOf(MARK);
      const end = text.indexOf('\n', at);
      if (at >= 0 && end > 0) last[index] = Number(text.slice(at + MARK.length, end));
    });
    socket.on('error', reject);
    socket.on('close', () => reject(new Error('a session was closed')));
  });
}

for (let from = 0; from < sessions; from += 100) {
  await Promise.all(Array.from({ length: Math.min(100, sessions - from) }, (_, n) => open(from + n)));
}
process.on('message', () => process.send({ least: Math.min(...last), sum: last.reduce((sum, sequence) => sum + sequence, 0) }));
process.on('disconnect', () => process.exit(0));
process.send('opened');
