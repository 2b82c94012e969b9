// One end of bench/file.mjs, in a process of its own so that its memory can be told. fork(…, [JSON {role, url, token, source or target}]).
// Says 'ready', begins on the first message (to receive: {streamNo}), then says 'opened', 'progress' and 'done'.
import { once } from 'node:events';
import { rivulet } from '@rivulet/client';

const { role, url, token, source, target } = JSON.parse(process.argv[2]);
const client = rivulet({ url, token });
const PROGRESS_MS = 50;
let toldAt = 0;
const onProgress = ({ bytes }) => {
  if (performance.now() - toldAt < PROGRESS_MS) return;
  toldAt = performance.now();
  process.send({ kind: 'progress', bytes });
};
process.on('disconnect', () => process.exit(0));
process.send({ kind: 'ready' });
const [{ streamNo }] = await once(process, 'message');
if (role === 'send') await client.sendFile(source, { onProgress, onOpen: (opened) => process.send({ kind: 'opened', streamNo: opened.streamNo }) });
else await client.receiveFile(streamNo, target, { onProgress });
process.send({ kind: 'done' });
