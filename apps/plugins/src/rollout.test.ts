import { advanced, changed, installed, isNewerDesired, movedTo, releaseFor, removed, rolledBack, takenBack } from './desired';
import type { Desired, Release } from './desired';
import type { PluginReport } from './plugin-report';
import { firstHostOf, judgeTrial } from './rollout';
import type { Trial, Verdict } from './rollout';

const author = (id: string) => ({ id, by: 'me', at: 0 });
const release = (version: string): Release => ({ version, digest: version.padEnd(64, '0'), bytes: 1, by: 'me', at: 0 });
const [v1, v2, v3] = [release('1.0.0'), release('2.0.0'), release('3.0.0')];
const HOSTS = ['a', 'b', 'c'];
const LIMITS = { rolloutMs: 5_000, trialMsMax: 60_000 };
const first = installed('p', undefined, v1, 'a', author('i1'));
const trying = installed('p', first, v2, 'b', author('i2'));

/** What is said after each report, `[at, report]`, to a leader that begins with nothing. */
function verdicts(
  reports: [number, Partial<PluginReport> | undefined][], desired = trying, hosts = HOSTS, heardAt = (at: number): number => at,
): (Verdict | null)[] {
  let known: Trial | undefined;
  return reports.map(([at, said]) => {
    const report = said && { packageDigest: v2.digest, state: 'running', fault: null, restarts: 0, ...said } as PluginReport;
    const { trial, verdict } = judgeTrial(desired, { report, hosts, heardAt: heardAt(at) }, known, at, LIMITS);
    known = trial;
    return verdict;
  });
}
const fault = (code: 'START_FAILED' | 'FILE_NOT_READABLE'): Partial<PluginReport> => ({ state: code, fault: { code, detail: 'why', remedy: '' } });

test('a first version is for all at once; the next is for one host, and for all once it is good', () => {
  expect(HOSTS.map((host) => releaseFor(first, host))).toEqual([v1, v1, v1]);
  expect(HOSTS.map((host) => releaseFor(trying, host))).toEqual([v1, v2, v1]);
  expect(advanced(trying, 's')).toMatchObject({ current: v2, previous: v1, rollout: null, change: 2, step: 1, of: 'i2' });
  expect(installed('p', trying, v1, 'a', author('x'))).toMatchObject({ current: v1, previous: null, rollout: null });
  expect(installed('p', { ...first, isEnabled: false }, v2, 'b', author('x'))).toMatchObject({ current: v2, previous: v1, rollout: null });
});

test('it is good when it has run for rolloutMs on end', () => {
  expect(verdicts([[0, undefined], [1_000, { state: 'starting' }], [2_000, {}], [6_999, {}], [7_000, {}]])).toEqual([null, null, null, null, { type: 'advance' }]);
  expect(verdicts([[0, {}], [60_000, {}]], trying, HOSTS, () => 4_999)).toEqual([null, null]);
  expect(verdicts([[0, {}], [4_000, { state: 'starting' }], [5_000, {}], [9_000, {}]])).toEqual([null, null, null, null]);
});

test('what the host says of the version before counts for nothing', () => {
  expect(verdicts([[0, { packageDigest: v1.digest }], [9_000, { packageDigest: v1.digest }], [9_500, { ...fault('START_FAILED'), packageDigest: v1.digest }]])).toEqual([null, null, null]);
});

test('a failure takes it back at once with its reason; so does the end of its process, and a trial that never runs', () => {
  expect(verdicts([[0, fault('START_FAILED')]])).toEqual([{ type: 'takeBack', code: 'START_FAILED', detail: 'why' }]);
  expect(verdicts([[0, {}], [100, { state: 'starting', restarts: 1 }]])[1]).toMatchObject({ type: 'takeBack', code: 'CRASHED' });
  expect(verdicts([[0, undefined], [59_999, fault('FILE_NOT_READABLE')], [60_000, fault('FILE_NOT_READABLE')]])).toEqual([null, null, { type: 'takeBack', code: 'FILE_NOT_READABLE', detail: 'why' }]);
  const back = takenBack(trying, { host: 'b', code: 'START_FAILED', detail: 'why', at: 1 }, 's');
  expect(back).toMatchObject({ current: v1, rollout: null, refused: { release: v2, code: 'START_FAILED' } });
  expect(HOSTS.map((host) => releaseFor(back, host))).toEqual([v1, v1, v1]);
});

test('a host that is silent is replaced by one that lives, and the trial begins anew there', () => {
  const moved = movedTo(trying, 'c', 's');
  expect(verdicts([[0, {}]], trying, ['a', 'c'])).toEqual([{ type: 'move', host: firstHostOf(['a', 'c'], v2.version, v2.digest) }]);
  expect(verdicts([[0, {}], [4_999, {}]], moved, ['a', 'c'])).toEqual([null, null]);
  expect(new Set(Array.from({ length: 20 }, (_, n) => firstHostOf(HOSTS, `${n}.0.0`, v2.digest))).size).toBe(3);
  expect(firstHostOf([...HOSTS].reverse(), '1.0.0', v2.digest)).toBe(firstHostOf(HOSTS, '1.0.0', v2.digest));
});

test('rolled back by hand: what is on trial, else to the version before; with none there is nothing to do', () => {
  expect(rolledBack(trying, author('r'))).toMatchObject({ current: v1, rollout: null, refused: { release: v2, code: 'ROLLED_BACK' } });
  expect(rolledBack(advanced(trying, 's'), author('r'))).toMatchObject({ current: v1, previous: null, refused: { release: v2 }, change: 3, step: 0 });
  expect(rolledBack(first, author('r'))).toBeNull();
});

test('the newer change counts, of one change the later step; a step of a change that is over counts for nothing, also after a removal', () => {
  const good = advanced(trying, 's1');
  const bad = takenBack(trying, { host: 'b', code: 'CRASHED', detail: '', at: 0 }, 's2');
  const next = installed('p', trying, v3, 'a', author('i3'));
  const counts = (...records: Desired[]): Desired => records.reduce((kept, one) => (isNewerDesired(one, kept) ? one : kept));
  expect(counts(trying, good, bad)).toBe(good);
  expect(counts(trying, bad, good)).toBe(bad);
  expect(counts(trying, next, good)).toBe(next);
  const gone = removed(trying, author('d'));
  expect([counts(trying, gone, good), gone.current]).toEqual([gone, null]);
  expect(changed('p', gone, { isEnabled: false }, author('x'))).toMatchObject({ change: 4, current: null });
});
