import { parseBindings } from './bindings';
import { readAllocatorConfig } from './config';

const ENV = { RIVULET_LOG: 'memory', RIVULET_AUTH: 'off' };
const problemsOf = (env: Record<string, string>): string => {
  try {
    readAllocatorConfig({ ...ENV, ...env });
    return '';
  } catch (error) {
    return (error as Error).message;
  }
};

test('a channel is bound by its name or by its beginning; the first binding that fits answers, every one judges and is told', () => {
  const bindings = parseBindings(JSON.stringify([
    { channel: 'support.vip', plugin: 'expert' }, { channel: 'support.*', plugin: 'ai-chat' },
    { channel: '*', plugin: 'audit', hooks: ['persistAfter', 'send'] }, { channel: 'support.*', plugin: 'audit', hooks: ['persistAfter'] },
  ]));
  expect(['support.vip', 'support.vip2', 'support.', 'support', 'other', ''].map((channel) => bindings.answers(channel)))
    .toEqual(['expert', 'ai-chat', 'ai-chat', null, null, null]);
  expect([bindings.of('support.1', 'persistAfter'), bindings.of('other', 'send'), bindings.of('', 'send')]).toEqual([['audit'], ['audit'], []]);
});

test.each([
  ['{', 'is not JSON'], ['{}', 'is no list'], ['[1]', 'entry 1 that is no object'], ['[{"channel":"a","plugin":"x","hook":"send"}]', 'has "hook" in entry 1'],
  ['[{"channel":"support/*","plugin":"x"}]', 'has the channel "support/*" in entry 1'], ['[{"channel":"a*b","plugin":"x"}]', 'has the channel "a*b"'],
  ['[{"channel":"a","plugin":"No"}]', 'has the plugin "No"'], ['[{"channel":"a","plugin":"x","hooks":["route"]}]', 'has hooks ["route"]'],
  [JSON.stringify(Array.from({ length: 9 }, (_, n) => ({ channel: '*', plugin: `p${n}`, hooks: ['persistAfter'] }))), 'at most 8 are told'],
])('%s stops the start and says what is wrong', (text, problem) => {
  expect(problemsOf({ RIVULET_ALLOCATOR_BINDINGS: text })).toContain(problem);
});

test('a binding to the hook send needs plugin hosts and the service token', () => {
  const bound = { RIVULET_ALLOCATOR_BINDINGS: '[{"channel":"*","plugin":"guard","hooks":["send"]}]' };
  expect(problemsOf(bound)).toContain('RIVULET_ALLOCATOR_PLUGIN_HOSTS');
  const hosts = { ...bound, RIVULET_ALLOCATOR_PLUGIN_HOSTS: 'http://a:7104,http://b:7104' };
  expect(problemsOf(hosts)).toContain('RIVULET_SERVICE_TOKEN');
  expect(problemsOf({ ...hosts, RIVULET_SERVICE_TOKEN: 's'.repeat(16) })).toBe('');
  expect(problemsOf({ RIVULET_ALLOCATOR_PLUGIN_HOSTS: 'nowhere' })).toContain('is "nowhere"; set it to a URL');
});
