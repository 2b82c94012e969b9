import { StreamError } from '@rivulet/protocol';
import type { Principal } from './auth';
import { ConfigError, printConfig, readConfig } from './config';
import { Metrics } from './metrics';
import { parseQuotas } from './quota-row';
import { Quotas } from './quotas';
import { serviceRows } from './service-rows';
import { TokenBucket } from './token-bucket';

const HASH = '0123456789abcdef'.repeat(4);
const KEYS = { RIVULET_LOG: 'memory', RIVULET_API_KEYS: `app:producer:${HASH},ops:operator:${HASH}` };

function problemOf(quotas: string): string {
  try {
    readConfig(serviceRows, { ...KEYS, RIVULET_QUOTAS: quotas }, []);
    return '';
  } catch (error) {
    if (error instanceof ConfigError) return error.problems.join('\n');
    throw error;
  }
}

function build(text: string): { quotas: Quotas; clock: { now: number }; metrics: Metrics } {
  const metrics = new Metrics('test');
  const clock = { now: 0 };
  return { clock, metrics, quotas: new Quotas(parseQuotas(text), new Set(['app', 'ops']), metrics, () => clock.now) };
}

function refusalOf(call: () => unknown): StreamError {
  try {
    call();
  } catch (error) {
    if (error instanceof StreamError) return error;
    throw error;
  }
  throw new Error('It was not refused.');
}

const token = (by: string | undefined): Principal => ({ id: 'token', claims: { scope: 'write', exp: 1, sub: 's', ...(by === undefined ? {} : { by }) } });

test('[APPEND-13] quotas are read by key, printed as they are written, and an entry of its own replaces that of *', () => {
  const text = 'app:openStreams=10,bytesPerSecond=1000;*:openStreams=3;ops:unlimited';
  const config = readConfig(serviceRows, { ...KEYS, RIVULET_QUOTAS: ` ${text.replace(/[;,]/g, '$& ')} ;` }, []);
  expect(printConfig(serviceRows, config)).toContain(`RIVULET_QUOTAS=${text}\n`);
  expect(config.quotas.of('app')).toEqual({ openStreams: 10, bytesPerSecond: 1000 });
  expect(config.quotas.of('anyone')).toEqual({ openStreams: 3 });
  expect(config.quotas.of('ops')).toBeNull();
  expect(readConfig(serviceRows, KEYS, []).quotas.of('app')).toBeNull();
});

test.each([
  ['app', 'an entry is keyId:quota=number'],
  ['a b:openStreams=1', '"a b:openStreams=1"'],
  ['app:openStreams=1;app:openStreams=2', 'two entries for app'],
  ['app:openStream=1', 'there are openStreams, opensPerSecond, bytesPerSecond, fragmentsPerSecond'],
  ['app:openStreams=1,openStreams=2', 'openStreams of app twice'],
  ['app:openStreams=many', 'openStreams=many for app; set it to a whole number from 0'],
  ['app:opensPerSecond=0', 'whole number from 1 to 1000000'],
  ['app:openStreams=1=2', 'openStreams=1=2'],
  ['app:', 'unlimited alone'],
  ['apps:openStreams=1', 'names the key apps, which RIVULET_API_KEYS does not have; there are app, ops'],
])('[APPEND-13] quotas that cannot be meant stop the start and say what is wrong: %s', (text, said) => {
  expect(problemOf(text)).toContain(said);
});

test('[APPEND-13] a bucket gives its rate, whatever the size of what is spent', () => {
  const clock = { now: 0 };
  const bucket = new TokenBucket(100, () => clock.now);
  let spent = 0;
  for (; clock.now < 10_000; clock.now += 10) {
    if (bucket.lackMs() > 0) continue;
    bucket.spend(250);
    spent += 250;
  }
  // The burst of the start, the rate, and the debt of the last call.
  expect(spent).toBeGreaterThanOrEqual(1_000);
  expect(spent).toBeLessThanOrEqual(100 + 1_000 + 250);
  expect(bucket.lackMs()).toBeLessThanOrEqual(2_510);
});

test('[APPEND-13] who waits is let in at the rate, in turn, and leaves half of the bucket to those who cannot wait', () => {
  const clock = { now: 0 };
  const bucket = new TokenBucket(100, () => clock.now);
  expect([bucket.reserve(50), bucket.reserve(50), bucket.reserve(50)]).toEqual([0, 500, 1_000]);
  clock.now = 1_000;
  expect(bucket.lackMs()).toBe(0);
});

test('[APPEND-13] a refusal names quota, limit and key, says what to do, and when only if time helps', async () => {
  const { quotas, clock, metrics } = build('app:openStreams=2,opensPerSecond=1,bytesPerSecond=100');
  const app = quotas.of('app')!;
  app.admitOpen(1);
  const rate = refusalOf(() => app.admitOpen(1));
  expect(rate).toMatchObject({ code: 'QUOTA_EXCEEDED', details: { quota: 'opensPerSecond', limit: 1, key: 'app', retryAfterMs: 1_000 } });
  const open = refusalOf(() => app.admitOpen(2));
  expect(open.details).not.toHaveProperty('retryAfterMs');
  expect(open.message).toContain('The key app has used up its quota openStreams=2. End or cancel one of them first.');
  app.admitAppend(300, 1);
  expect(refusalOf(() => app.admitAppend(1, 1)).details).toMatchObject({ quota: 'bytesPerSecond', retryAfterMs: 2_010 });
  clock.now = 2_010;
  app.admitAppend(1, 1);
  expect(await metrics.registry.getSingleMetricAsString('rivulet_quota_refused_total')).toContain('{key="app",quota="openStreams",app="test"} 1');
});

test('[APPEND-13] a token counts for the key that opened its stream, one that names none by stream, a key for itself', () => {
  const { quotas } = build('app:fragmentsPerSecond=1;*:fragmentsPerSecond=7');
  expect(quotas.ofWriter(token('app'), 's')).toBe(quotas.of('app'));
  expect(quotas.ofWriter({ id: 'app', role: 'producer' }, 's')).toBe(quotas.of('app'));
  const old = quotas.ofWriter(token(undefined), 's')!;
  expect(old.limits).toEqual({ fragmentsPerSecond: 7 });
  expect(quotas.ofWriter(token(undefined), 's')).toBe(old);
  expect(quotas.ofWriter(token(undefined), 'other')).not.toBe(old);
  expect(build('*:openStreams=1').quotas.ofWriter(token('app'), 's')).toBeNull();
});

test('[APPEND-13] keys that are not configured share one label, however many there are', async () => {
  const { quotas, metrics } = build('*:openStreams=0');
  for (let n = 0; n < 20; n += 1) refusalOf(() => quotas.of(`gone-${n}`)!.admitOpen(0));
  const shown = await metrics.registry.getSingleMetricAsString('rivulet_quota_refused_total');
  expect(shown.split('\n').filter((line) => line.startsWith('rivulet_quota'))).toEqual(['rivulet_quota_refused_total{key="other",quota="openStreams",app="test"} 20']);
});
