import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

const HOOK = join(__dirname, '..', '..', '..', 'test', 'support', 'ts-hook.cjs');
const KEY = '0123456789abcdef'.repeat(4);
const ENV = { PATH: process.env['PATH'], RIVULET_LOG: 'memory', RIVULET_TOKEN_KEYS: KEY };

interface Ended { code: number | null; out: string; err: string }
interface Running { child: ChildProcess; ended: Promise<Ended>; said(text: string): Promise<void> }

/** A process whose main is runMain with the given body of `start(config, frame)`. */
function run(start: string, args: string[] = [], env: Record<string, string> = {}): Running {
  const script = `
    const { runMain } = require(${JSON.stringify(join(__dirname, 'run-main.ts'))});
    const { serviceRows } = require(${JSON.stringify(join(__dirname, 'service-rows.ts'))});
    process.argv.splice(1, 0, 'main');
    void runMain({ app: 'probe', rows: serviceRows, appPrefixes: [], start: async (config, frame) => { ${start} } });`;
  const child = spawn(process.execPath, ['-r', HOOK, '-e', script, '--', ...args], { env: { ...ENV, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  const text = { out: '', err: '' };
  child.stdout.on('data', (part: Buffer) => { text.out += part.toString(); });
  child.stderr.on('data', (part: Buffer) => { text.err += part.toString(); });
  const ended = once(child, 'close').then(([code]) => ({ code: code as number | null, ...text }));
  const said = async (wanted: string): Promise<void> => {
    while (!text.out.includes(wanted)) {
      const cause = await Promise.race([once(child.stdout, 'data'), ended.then((end) => end)]);
      if (!Array.isArray(cause)) throw new Error(`ended without saying ${wanted}: ${cause.err}`);
    }
  };
  return { child, ended, said };
}

const STAY = 'setInterval(() => undefined, 1000); console.log("started");';

test('--check-config prints the result redacted and exits 0; with problems it lists them and exits 1', async () => {
  const [good, bad] = await Promise.all([run('', ['--check-config']).ended, run('', ['--check-config'], { RIVULET_AUTH: 'maybe', RIVULET_X: '1' }).ended]);
  expect(good).toMatchObject({ code: 0, err: '' });
  expect(good.out).toContain('RIVULET_TOKEN_KEYS=[redacted, 1]');
  expect(good.out).not.toContain(KEY);
  expect(bad.code).toBe(1);
  expect(bad.err).toContain('RIVULET_AUTH');
  expect(bad.err).toContain('RIVULET_X');
});

test('--help exits 0, an unknown option 1', async () => {
  const [help, unknown] = await Promise.all([run('', ['--help']).ended, run('', ['--port']).ended]);
  expect(help.code).toBe(0);
  expect(help.out).toContain('RIVULET_DRAIN_MS_MAX');
  expect(unknown).toMatchObject({ code: 1, err: expect.stringContaining('Unknown option --port') });
});

test('SIGTERM drains in the stated order and exits 0', async () => {
  const { child, ended, said } = run(`
    for (const step of ['log', 'appends', 'accept', 'membership', 'sessions']) {
      frame.drain.add(step, step, async () => { await new Promise(setImmediate); console.log('step ' + step + ' ready=' + frame.readiness.isReady); });
    }
    ${STAY}`);
  await said('started');
  child.kill('SIGTERM');
  const { code, out } = await ended;
  expect(code).toBe(0);
  expect(out.match(/step \w+ ready=\w+/g)).toEqual(['accept', 'sessions', 'appends', 'membership', 'log'].map((step) => `step ${step} ready=false`));
});

test('a step that hangs is cut off after drainMsMax, the later steps still run, and the exit code says so', async () => {
  const { child, ended, said } = run(`
    frame.drain.add('sessions', 'stuck', () => new Promise(() => undefined));
    frame.drain.add('log', 'log', () => { console.log('log closed'); });
    ${STAY}`, [], { RIVULET_DRAIN_MS_MAX: '150' });
  await said('started');
  child.kill('SIGINT');
  const { code, out } = await ended;
  expect(code).toBe(1);
  expect(out).toContain('log closed');
  expect(out).toContain('"part":"stuck"');
});

test('a second signal exits at once', async () => {
  const { child, ended, said } = run(`frame.drain.add('accept', 'stuck', () => new Promise(() => console.log('stopping'))); ${STAY}`);
  await said('started');
  child.kill('SIGTERM');
  await said('stopping');
  child.kill('SIGTERM');
  expect((await ended).code).toBe(130);
});

test.each([
  ['an exception nobody expected', 'setImmediate(() => { throw new Error("boom"); });', 'uncaught exception'],
  ['a rejection nobody took', 'setImmediate(() => { void Promise.reject(new Error("boom")); });', 'unhandled rejection'],
  ['a failed start', 'throw new Error("boom");', 'failed to start'],
])('%s is logged and ends the process with 1', async (_name, start, message) => {
  const { code, out } = await run(`${STAY} ${start}`).ended;
  expect(code).toBe(1);
  expect(out).toContain(`"msg":"${message}"`);
  expect(out).toContain('boom');
});
