import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { integerRow } from './config-row';
import { ConfigError, helpText, printConfig, readConfig } from './config';
import { serviceRows } from './service-rows';

const KEY = '0123456789abcdef'.repeat(4);
const rows = { ...serviceRows, probePort: integerRow({ env: 'RIVULET_INGEST_PORT', fallback: 7102, min: 0, max: 65_535, doc: 'Port.' }) };
const good = {
  KAFKA_BROKERS: 'a:9092, b:9092', RIVULET_STREAM_NO_KEYS: KEY, RIVULET_TOKEN_KEYS: `${KEY},${KEY}`, RIVULET_SERVICE_TOKEN: 'x'.repeat(32),
  RIVULET_API_KEYS: `ops:operator:${KEY}`,
};

function problemsOf(env: Record<string, string>): readonly string[] {
  try {
    readConfig(rows, { ...good, ...env }, 'RIVULET_INGEST_');
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
}

test('values are typed, defaults filled in, the result frozen', () => {
  const config = readConfig(rows, good, 'RIVULET_INGEST_');
  expect(config).toMatchObject({ probePort: 7102, kafkaBrokers: ['a:9092', 'b:9092'], host: '127.0.0.1', auth: 'on', partitionsBulk: 8 });
  expect(config.streamNoKeys[0]).toHaveLength(32);
  expect(Object.isFrozen(config)).toBe(true);
});

test('every problem is listed at once, each with its remedy', () => {
  const problems = problemsOf({ RIVULET_DRAIN_MS_MAX: 'soon', RIVULET_LOG: 'redis', RIVULET_PUBLIC_URL: 'here', RIVULET_INGEST_PORT: '70000' });
  expect(problems).toHaveLength(4);
  expect(problems).toContain('RIVULET_DRAIN_MS_MAX is "soon"; set it to a whole number from 100 to 600000.');
  expect(problems).toContain('RIVULET_LOG is "redis"; set it to one of kafka, memory.');
});

test('an unknown name stops the start and the likely one is named; names of other apps do not', () => {
  expect(problemsOf({ RIVULET_HARTBEAT_MS: '1' })[0]).toContain('did you mean RIVULET_HEARTBEAT_MS');
  expect(problemsOf({ RIVULET_INGEST_PROT: '1' })[0]).toContain('did you mean RIVULET_INGEST_PORT');
  expect(problemsOf({ RIVULET_FANOUT_ANYTHING: '1', RIVULET_STANDALONE_X: '1', OTHER: '1' })).toEqual([]);
});

test('auth is off only on a loopback address', () => {
  for (const host of ['127.0.0.1', 'localhost', '::1', '127.8.8.8']) expect(problemsOf({ RIVULET_AUTH: 'off', RIVULET_HOST: host })).toEqual([]);
  for (const host of ['0.0.0.0', '10.0.0.1', '::', 'example.org', '127.0.0.1.evil.example']) {
    expect(problemsOf({ RIVULET_AUTH: 'off', RIVULET_HOST: host })[0]).toContain('RIVULET_AUTH is off');
  }
});

test('on Kafka the keys are needed, on the memory log they are not', () => {
  const none = { RIVULET_STREAM_NO_KEYS: '', RIVULET_TOKEN_KEYS: '', RIVULET_SERVICE_TOKEN: '', RIVULET_API_KEYS: '', KAFKA_BROKERS: '' };
  expect(problemsOf(none)).toHaveLength(5);
  expect(problemsOf({ ...none, RIVULET_LOG: 'memory' })).toEqual([]);
});

test('rows are checked against each other', () => {
  expect(problemsOf({ RIVULET_MIN_INSYNC: '2' })[0]).toContain('RIVULET_REPLICATION');
  expect(problemsOf({ RIVULET_HEARTBEAT_MS: '2000' })[0]).toContain('a third of RIVULET_SESSION_TIMEOUT_MS');
});

test('two API keys with one id are a problem: only the last of them would work', () => {
  expect(problemsOf({ RIVULET_API_KEYS: `ops:operator:${KEY},ops:viewer:${KEY}` })[0]).toContain('two keys with the id ops');
});

test('secrets come from files too, and are never printed, in problems neither', () => {
  const folder = mkdtempSync(join(tmpdir(), 'config-'));
  try {
    const file = join(folder, 'token');
    writeFileSync(file, `${'s3cret'.repeat(4)}\n`);
    const config = readConfig(rows, { ...good, RIVULET_SERVICE_TOKEN: '', RIVULET_SERVICE_TOKEN_FILE: file }, 'RIVULET_INGEST_');
    expect(config.serviceToken).toBe('s3cret'.repeat(4));
    const printed = printConfig(rows, config);
    expect(printed).not.toContain('s3cret');
    expect(printed).not.toContain(KEY);
    expect(printed).toContain('RIVULET_TOKEN_KEYS=[redacted, 2]');
    expect(problemsOf({ RIVULET_SERVICE_TOKEN_FILE: file })[0]).toContain('keep one');
    expect(problemsOf({ RIVULET_SERVICE_TOKEN: '', RIVULET_SERVICE_TOKEN_FILE: join(folder, 'none') })[0]).toContain('ENOENT');
    for (const [name, value] of [['RIVULET_SERVICE_TOKEN', 'p4ss'], ['RIVULET_API_KEYS', 'p4ss:x'], ['RIVULET_TOKEN_KEYS', 'p4ss']] as const) {
      expect(problemsOf({ [name]: value }).join()).not.toContain('p4ss');
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('--help says type, range, default and meaning of every row', () => {
  const text = helpText('probe', rows);
  for (const row of Object.values(rows)) expect(text).toContain(`${row.env}  (${row.type}`);
  expect(text).toContain('RIVULET_INGEST_PORT  (integer; 0 to 65535; default 7102)');
});
