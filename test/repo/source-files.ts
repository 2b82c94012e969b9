import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';

export const ROOT = path.resolve(__dirname, '..', '..');

export interface SourceFile { name: string; lines: string[]; text: string }

/** Files that are or may be committed (ignored ones are not), by paths relative to the root. */
export function files(pattern: RegExp): SourceFile[] {
  const listed = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '-z'], { cwd: ROOT, encoding: 'utf8' }).split('\0');
  return [...new Set(listed)].filter((name) => pattern.test(name) && existsSync(path.join(ROOT, name))).map((name) => {
    const text = readFileSync(path.join(ROOT, name), 'utf8');
    return { name, text, lines: text.replace(/\n$/, '').split('\n') };
  });
}

const isGenerated = ({ name }: SourceFile): boolean => name.includes('/generated/');
const isTest = ({ name }: SourceFile): boolean => /\.test\.ts$/.test(name) || name.startsWith('test/');

/** What people wrote, tests included. */
export const sources = (): SourceFile[] => files(/\.(ts|mjs|cjs|js)$/).filter((file) => !isGenerated(file));
export const product = (): SourceFile[] => sources().filter((file) => !isTest(file));
export const tests = (): SourceFile[] => sources().filter(isTest);

/** Everything a file imports, dynamically or not. */
export function imports({ text }: SourceFile): string[] {
  return [...text.matchAll(/(?:\bfrom|\bimport|\brequire\(|\bimport\()\s*['"]([^'"]+)['"]/g)].map((match) => match[1]!);
}
