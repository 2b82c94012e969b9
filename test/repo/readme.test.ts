import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';

const ROOT = path.join(__dirname, '..', '..');
const read = (name: string): string => readFileSync(path.join(ROOT, name), 'utf8');

/** What can be run or typed: the lines of code blocks without what is said beside them. Pictures are not. */
function commandsOf(text: string): string[] {
  const blocks = [...text.matchAll(/^```(?:sh|ts)?\n(.*?)^```$/gms)].map(([, block]) => block!).filter((block) => !/[▲─]/.test(block));
  return blocks.join('').split('\n').map((line) => line.replace(/\s*(?:#|\/\/) .*$/, '')).filter((line) => line !== '' && !/^(?:apps|libs|plugins|test|bench)\/ /.test(line));
}

const linksOf = (text: string): string[] => [...text.matchAll(/\]\(([^)#]+)(?:#[^)]*)?\)/g)].map(([, target]) => target!);

test('the Chinese README has the commands of the English one', () => {
  expect(commandsOf(read('README.zh-CN.md'))).toEqual(commandsOf(read('README.md')));
});

test('the Chinese README leads wherever the English one does', () => {
  const own = new Set(['README.md', 'README.zh-CN.md']);
  const targets = (name: string): string[] => [...new Set(linksOf(read(name)))].filter((target) => !own.has(target)).sort();
  expect(targets('README.zh-CN.md')).toEqual(targets('README.md'));
});

test.each(['README.md', 'README.zh-CN.md'])('every link of %s leads somewhere', (name) => {
  expect(linksOf(read(name)).filter((target) => !/^https?:/.test(target) && !existsSync(path.join(ROOT, target)))).toEqual([]);
});
