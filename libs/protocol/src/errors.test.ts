import { readFileSync } from 'node:fs';
import path from 'node:path';
import { ERRORS, StreamError, problemOf } from './errors';

const page = readFileSync(path.join(__dirname, '..', '..', '..', 'docs', 'ERRORS.md'), 'utf8');
const documented = [...page.matchAll(/^\| `(\w+)` \| (\d+) \| (\d+) \| (\w+) \| (.+) \|$/gm)]
  .map(([, code, status, close, next, text]) => [code, { status: Number(status), close: Number(close), next, text }]);

test('docs/ERRORS.md has exactly the rows of the table', () => {
  expect(documented).toEqual(Object.entries(ERRORS));
});

test('close codes are of the private range and tell the HTTP status; only errors that may pass say retry', () => {
  for (const { status, close, next } of Object.values(ERRORS)) {
    expect(close).toBe(4000 + status);
    if (next === 'retry') expect([408, 421, 429, 500, 503, 504]).toContain(status);
  }
});

test('a problem has code, remedy and facts, and no fact takes the place of a member', () => {
  const problem = problemOf(new StreamError('STREAM_FINAL', { detail: 'It has ended.', status: 'ended', code: 'x', epoch: 2 }), 'r1');
  expect(problem).toEqual({
    type: 'urn:rivulet:error:STREAM_FINAL', title: 'STREAM_FINAL', status: 409, code: 'STREAM_FINAL', next: 'stop', requestId: 'r1',
    detail: `It has ended. ${ERRORS.STREAM_FINAL.text}`, streamStatus: 'ended', epoch: 2,
  });
});

test('what is not a StreamError shows nothing of itself', () => {
  expect(JSON.stringify(problemOf(new Error('password=hunter2')))).not.toContain('hunter2');
  expect(problemOf('anything')).toMatchObject({ code: 'INTERNAL', status: 500 });
});

test('an error of another copy of this file is a StreamError by its code, and what only looks like one is none', () => {
  const copy = (name: string, code: string): Error => Object.assign(new Error(code), { name, code });
  expect(copy('StreamError', 'STALE_EPOCH') instanceof StreamError).toBe(true);
  for (const other of [copy('StreamError', 'ENOENT'), copy('Error', 'STALE_EPOCH'), { name: 'StreamError', code: 'STALE_EPOCH' }, null]) {
    expect((other as unknown) instanceof StreamError).toBe(false);
  }
});
