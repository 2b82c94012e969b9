import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

const FOLDER = join(__dirname, '..');
const NODE_EXAMPLE = join(FOLDER, 'examples', 'readme-node.test.mjs');
const readme = readFileSync(join(FOLDER, 'README.md'), 'utf8');
const blockOf = (language: string): string | undefined => new RegExp(`\`\`\`${language}\\n([\\s\\S]*?)\`\`\``).exec(readme)?.[1];

test('the README is short, and its examples are the files that are run', () => {
  expect(readme.split('\n').length).toBeLessThanOrEqual(70);
  expect(blockOf('ts')).toBe(readFileSync(join(__dirname, 'readme-jest.test.ts'), 'utf8'));
  expect(blockOf('js')).toBe(readFileSync(NODE_EXAMPLE, 'utf8'));
});

test('the node:test example passes as it is written, against the built packages, and its process ends by itself', async () => {
  const { stdout } = await promisify(execFile)(process.execPath, ['--test', NODE_EXAMPLE], { cwd: FOLDER, timeout: 25_000, env: { PATH: process.env['PATH'] } });
  expect(stdout).toMatch(/# pass 1|ℹ pass 1/);
  expect(stdout).toMatch(/# fail 0|ℹ fail 0/);
});
