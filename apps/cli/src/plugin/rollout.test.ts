import { outcomeOf } from './rollout';
import type { InstalledRow } from './rollout';
import type { PluginRow } from './rows';

const OLD = '1'.repeat(64);
const NEW = '2'.repeat(64);
const installed = (over: Partial<InstalledRow>): InstalledRow => ({
  name: 'p', version: '2.0.0', digest: NEW, bytes: 1, by: 'me', at: 0, isEnabled: true, previous: null, rollout: null, refused: null, ...over,
});
const row = (host: string, over: Partial<PluginRow> = {}): PluginRow => ({ host, plugin: 'p', version: '2.0.0', packageDigest: NEW, state: 'running', fault: null, ...over });
const fault = (code: string) => ({ state: code, fault: { code, detail: 'why', remedy: 'do this' } });

test('it runs when it is what is installed and every host that speaks runs these bytes', () => {
  expect(outcomeOf(NEW, installed({}), [row('a'), row('b', { packageDigest: OLD })])).toEqual({ state: 'waiting' });
  expect(outcomeOf(NEW, installed({}), [row('a'), row('b', { state: 'starting' })])).toEqual({ state: 'waiting' });
  expect(outcomeOf(NEW, installed({}), [row('a'), row('b', { packageDigest: '', ...fault('MISSING_ON_HOST') })])).toEqual({ state: 'waiting' });
  expect(outcomeOf(NEW, installed({}), [])).toEqual({ state: 'waiting' });
  expect(outcomeOf(NEW, installed({}), [row('a'), row('b'), row('gone', fault('HOST_SILENT'))])).toEqual({ state: 'running', hosts: ['a', 'b'] });
  expect(outcomeOf(NEW, installed({ isEnabled: false }), [row('a', { state: 'disabled' })])).toEqual({ state: 'running', hosts: ['a'] });
});

test('while one host tries it the others are not asked; what is not known yet is waited for', () => {
  const trying = installed({ version: '1.0.0', digest: OLD, rollout: { version: '2.0.0', digest: NEW, host: 'a' } });
  expect(outcomeOf(NEW, trying, [row('a'), row('b', { packageDigest: OLD })])).toEqual({ state: 'waiting' });
  expect(outcomeOf(NEW, undefined, [])).toEqual({ state: 'waiting' });
});

test('what was taken back has failed, also an earlier time of the same bytes only while they are not tried again', () => {
  const refused = { version: '2.0.0', digest: NEW, host: 'a', code: 'START_FAILED', detail: 'why' };
  const back = installed({ version: '1.0.0', digest: OLD, refused });
  expect(outcomeOf(NEW, back, [row('a', { packageDigest: OLD })])).toMatchObject({
    state: 'failed', faults: [{ where: '2.0.0 was taken back, it failed on a', fault: { code: 'START_FAILED', remedy: expect.stringContaining('go on with 1.0.0') } }],
  });
  expect(outcomeOf(NEW, { ...back, rollout: { version: '2.0.0', digest: NEW, host: 'b' } }, [])).toEqual({ state: 'waiting' });
});

test('a first version that cannot run has failed once every host has said so, each with its remedy', () => {
  expect(outcomeOf(NEW, installed({}), [row('a', fault('CONFIG_INVALID')), row('b', { state: 'fetching' })])).toEqual({ state: 'waiting' });
  expect(outcomeOf(NEW, installed({}), [row('a', fault('CONFIG_INVALID')), row('b')])).toEqual({
    state: 'failed', faults: [{ where: 'p on a', fault: { code: 'CONFIG_INVALID', detail: 'why', remedy: 'do this' } }],
  });
});
