/** The network of fifty named sessions goes away for 2 s, again and again; the proof of delivery is complete in the end. */
import { DropRun } from '../../tools/drops.cjs';
import { eventually } from '../support/eventually';
import { startSystem } from '../support/system';
import type { System } from '../support/system';

const DROPS = 4;
const DROP_MS = 2_000;

let system: System;
let run: DropRun;
beforeAll(async () => {
  system = await startSystem({ counts: { fanout: 2 }, proxy: true });
  run = new DropRun(system);
});
afterAll(async () => {
  await run?.close();
  await system?.stop();
});

test(`[WATCH-1] [WATCH-7] ${DROPS} drops of 2 s: SSE and WebSocket sessions get everything once, in order, and all of it is confirmed`, async () => {
  await run.begin({ streamCount: 5, sessionCount: 50 });
  for (let drop = 0; drop < DROPS; drop += 1) {
    // A session that did not come back since the last one has nothing to lose.
    await eventually(() => expect(Math.min(...run.sessions.map(({ connections }) => connections))).toBeGreaterThan(drop));
    await run.drop(DROP_MS);
  }
  expect(await run.end()).toEqual([]);
});
