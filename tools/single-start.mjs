// One `npm start` per checkout: two would share ports, keys and Kafka's data. What a killed one left behind is given time to end.
import fs from 'node:fs';
import path from 'node:path';

const LEFTOVER_MS_MAX = 30_000;

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    if (error.code === 'ESRCH') return false;
    if (error.code === 'EPERM') return true;
    throw error;
  }
}

const answers = async (url) => Boolean(url) && fetch(`${url}/healthz`, { signal: AbortSignal.timeout(1000) }).then(() => true, () => false);

/** @param {string} file where the running start is noted */
export function singleStart(file) {
  let isOurs = false;
  const read = () => (fs.existsSync(file) ? JSON.parse(fs.readFileSync(file, 'utf8')) : null);
  const write = (note) => fs.writeFileSync(file, JSON.stringify(note));

  return {
    /** @throws Error when another start of this checkout runs */
    async acquire() {
      fs.mkdirSync(path.dirname(file), { recursive: true });
      const before = read();
      // A number alone proves nothing, it may be another program's by now; with the URL it does. Without one it has not come that far.
      if (before && before.pid !== process.pid && isAlive(before.pid) && (!before.url || (await answers(before.url)))) {
        const where = before.url ? `It is at ${before.url}.` : 'It is still starting.';
        throw new Error(`Another npm start of this checkout runs (process ${before.pid}). ${where} Stop it first, or delete ${file} if that is wrong.`);
      }
      const deadline = Date.now() + LEFTOVER_MS_MAX;
      const isLeft = async () => before?.broker !== undefined && isAlive(before.broker) || (await answers(before?.url));
      let isSaid = false;
      while (before && Date.now() < deadline && (await isLeft())) {
        if (!isSaid) console.log('An earlier start was killed; waiting for what it left behind to end.');
        isSaid = true;
        await new Promise((resolve) => setTimeout(resolve, 200));
      }
      write({ pid: process.pid });
      isOurs = true;
    },
    /** @param {{ url: string, broker?: number, brokers?: string }} facts broker: our process; brokers: for the command `rivulet` */
    note(facts) {
      write({ pid: process.pid, ...facts });
    },
    release() {
      if (isOurs) fs.rmSync(file, { force: true });
    },
  };
}
