import { StreamError } from '@rivulet/protocol';
import { Backoff, pause, resend } from './backoff';
import { retryAfterHeader } from './http';

const QUICK = { firstMs: 1, mostMs: 4 };

test('waits double up to a bound, half of each random', () => {
  const least = new Backoff({ firstMs: 100, mostMs: 1000 }, () => 0);
  const most = new Backoff({ firstMs: 100, mostMs: 1000 }, () => 1);
  expect([1, 2, 3, 4, 5, 6].map(() => least.next())).toEqual([50, 100, 200, 400, 500, 500]);
  expect([1, 2, 3, 4, 5, 6].map(() => most.next())).toEqual([100, 200, 400, 800, 1000, 1000]);
});

test('[APPEND-5] Retry-After is the least that is waited, with jitter on top', () => {
  expect(new Backoff({ firstMs: 100, mostMs: 1000 }, () => 0).next(2000)).toBe(2000);
  expect(new Backoff({ firstMs: 100, mostMs: 1000 }, () => 1).next(2000)).toBe(2500);
  expect(new Backoff({ firstMs: 2000, mostMs: 2000 }, () => 1).next(2000)).toBe(3000);
});

test('a connection that lived resets the waits, one that was dropped at once does not', () => {
  const backoff = new Backoff({ firstMs: 100, mostMs: 1000 }, () => 1);
  const waits = [5, 10, 999, 1000, 0].map((livedMs) => {
    backoff.disconnected(livedMs);
    return backoff.next();
  });
  expect(waits).toEqual([100, 200, 400, 100, 200]);
});

test('[APPEND-13] a quota that refills is waited for, one that only the caller can free is not', async () => {
  let calls = 0;
  const refill = async (): Promise<string> => {
    calls += 1;
    if (calls === 1) throw new StreamError('QUOTA_EXCEEDED', { quota: 'opensPerSecond', retryAfterMs: 1 });
    return 'opened';
  };
  await expect(resend(refill, { giveUpMs: 10_000, backoff: QUICK })).resolves.toBe('opened');
  const full = async (): Promise<string> => {
    calls += 1;
    throw new StreamError('QUOTA_EXCEEDED', { quota: 'openStreams' });
  };
  await expect(resend(full, { giveUpMs: 10_000, backoff: QUICK })).rejects.toMatchObject({ code: 'QUOTA_EXCEEDED' });
  expect(calls).toBe(3);
});

test('Retry-After is read as seconds or as a date', () => {
  expect(retryAfterHeader('2')).toBe(2000);
  expect(retryAfterHeader('Mon, 01 Jan 2024 00:00:05 GMT', Date.parse('Mon, 01 Jan 2024 00:00:00 GMT'))).toBe(5000);
  expect(retryAfterHeader('soon')).toBe(0);
  expect(retryAfterHeader(null)).toBe(0);
});

test('[APPEND-3] transient errors are resent, final ones are not', async () => {
  let calls = 0;
  const flaky = async (): Promise<string> => {
    calls += 1;
    if (calls < 4) throw new StreamError(calls === 1 ? 'OVERLOADED' : 'LOG_UNAVAILABLE');
    return 'done';
  };
  await expect(resend(flaky, { giveUpMs: 10_000, backoff: QUICK })).resolves.toBe('done');
  const final = async (): Promise<string> => Promise.reject(new StreamError('STALE_EPOCH'));
  await expect(resend(final, { giveUpMs: 10_000, backoff: QUICK })).rejects.toMatchObject({ code: 'STALE_EPOCH' });
});

test('resending is bounded in time', async () => {
  const never = async (): Promise<string> => Promise.reject(new StreamError('LOG_UNAVAILABLE'));
  await expect(resend(never, { giveUpMs: 20, backoff: QUICK })).rejects.toMatchObject({ code: 'LOG_UNAVAILABLE' });
});

test('a pause ends as soon as the signal fires', async () => {
  const stop = new AbortController();
  const paused = pause(60_000, stop.signal);
  stop.abort(new Error('enough'));
  await expect(paused).rejects.toThrow('enough');
  await expect(pause(1, stop.signal)).rejects.toThrow('enough');
});
