// 50 named sessions over SSE and WebSocket whose network goes for 2 s, again and again: everything delivered, once, in order, confirmed.
import { createRequire } from 'node:module';
import { row } from './report.mjs';
import { elapse } from './streams.mjs';

const { DropRun } = createRequire(import.meta.url)('../tools/drops.cjs');
const SESSIONS = 50;
const DROP_MS = 2_000;

export async function drops({ system, isQuick }) {
  const count = isQuick ? 5 : 50;
  const run = new DropRun(system);
  try {
    await run.begin({ streamCount: 5, sessionCount: SESSIONS });
    for (let drop = 0; drop < count; drop += 1) {
      await elapse(1_000);
      await run.drop(DROP_MS);
    }
    const faults = await run.end();
    for (const fault of faults.slice(0, 10)) console.log(`bench: drops: ${fault}`);
    const delivered = run.sessions.reduce((sum, { sequence }) => sum + sequence, 0);
    const connections = run.sessions.reduce((sum, session) => sum + session.connections, 0);
    const question = `${SESSIONS} named sessions, ${count} drops of ${DROP_MS / 1000} s`;
    return [
      row(question, 'delivered to all of them', delivered, 'fragments'),
      row(question, 'connections', connections, ''),
      row(question, 'lost, duplicated, reordered, altered or unconfirmed', faults.length, '', { target: '0', met: faults.length === 0 }),
    ];
  } finally {
    await run.close();
  }
}
