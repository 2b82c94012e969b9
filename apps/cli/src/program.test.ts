import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { completionScript } from './completion-command';
import { EXIT_CODES } from './exit-codes';
import { barText } from './progress-bar';
import { buildProgram } from './program';

const page = readFileSync(path.join(__dirname, '..', '..', '..', 'docs', 'CLI.md'), 'utf8');
const program = buildProgram();
/** With those of groups, under their whole names; a group itself does nothing. */
const commands = program.commands.flatMap((command) => (command.commands.length === 0 ? [{ name: command.name(), command }]
  : command.commands.map((inner) => ({ name: `${command.name()} ${inner.name()}`, command: inner }))));
const COMMON = ['--url', '--token', '--brokers', '--topic-prefix', '--help'];

test('docs/CLI.md has every command with its arguments and options, and no other', () => {
  const documented = [...page.matchAll(/^\| `([a-z]+(?: [a-z]+)?(?: [[<]\w+[\]>])?)` \|.*\|([^|]*)\|$/gm)].map(([, usage, options]) =>
    [usage, [...options!.matchAll(/`(--[a-z-]+)`/g)].map(([, name]) => name).sort()]);
  const built = commands.map(({ name, command }) => {
    const argument = command.registeredArguments.map((one) => ` ${one.required ? '<' : '['}${one.name()}${one.required ? '>' : ']'}`).join('');
    return [name + argument, command.options.map((option) => option.long!).filter((name) => !COMMON.includes(name)).sort()];
  });
  // Checks of doctor and findings stand in tables of the same form; commands have four columns.
  expect(documented.filter(([usage]) => program.commands.some((command) => command.name() === String(usage).split(' ')[0]))).toEqual(built);
});

test('docs/CLI.md and --help have the exit codes of the table', () => {
  const rows = Object.values(EXIT_CODES).map(({ code, meaning }) => `| ${code} | ${meaning} |`);
  expect(page).toContain(rows.join('\n'));
  let help = '';
  program.configureOutput({ writeOut: (text) => (help += text) }).outputHelp();
  for (const { code, meaning } of Object.values(EXIT_CODES)) expect(help).toMatch(new RegExp(`^ +${code}  ${meaning}$`, 'm'));
});

test('every command has an example in its --help, and every option says what it is for', () => {
  for (const { name, command } of commands) {
    let help = '';
    command.configureOutput({ writeOut: (text) => (help += text) }).outputHelp();
    expect(help).toMatch(new RegExp(`Examples:\n  .*rivulet ${name}`));
    for (const option of command.options) expect([option.long, option.description.length > 10]).toEqual([option.long, true]);
  }
});

test('docs/CLI.md names every code that verify and doctor can give', () => {
  const sources = readdirSync(__dirname).filter((name) => /^(check|damage|probe)/.test(name) && !name.endsWith('.test.ts'));
  const codes = sources.flatMap((name) => [...readFileSync(path.join(__dirname, name), 'utf8').matchAll(/(?:found\(|^  )'?([A-Z]+(?:_[A-Z]+)+)'?(?=[,:])/gm)].map(([, code]) => code!));
  expect(codes.length).toBeGreaterThan(30);
  expect([...new Set(codes)].filter((code) => !page.includes(`\`${code}\``))).toEqual([]);
});

test('the completion script of bash completes commands and their options in a real bash', () => {
  const complete = (...words: string[]): string[] => {
    const lines = [completionScript(program, 'bash'), `COMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')})`, `COMP_CWORD=${words.length - 1}`, '_rivulet', 'echo "${COMPREPLY[@]}"'];
    return execFileSync('bash', ['--norc', '-c', lines.join('\n')], { encoding: 'utf8' }).trim().split(' ');
  };
  expect(complete('rivulet', 'p')).toEqual(['pipe', 'plugin']);
  expect(complete('rivulet', 'plugin', 'st')).toEqual(['status']);
  expect(complete('rivulet', 'plugin', 'status', '--w')).toEqual(['--watch']);
  expect(complete('rivulet', 'verify', '--')).toEqual(['--all-partitions', '--brokers', '--topic-prefix', '--json', '--help']);
});

test('the scripts of zsh and fish have every command', () => {
  for (const shell of ['zsh', 'fish'] as const) {
    const script = completionScript(program, shell);
    for (const { command } of commands) expect(script).toContain(command.name());
  }
});

test('a progress bar shows how far it is, or how much there is when the end is not known', () => {
  expect(barText('file', 512 * 1024, 1024 * 1024, 'bytes')).toBe(`file  [${'#'.repeat(12)}${'.'.repeat(12)}] 50 %  512.0 KiB`);
  expect(barText('file', 3, 0, 'records')).toBe('file  3 records');
});

test('after npm ci and the build the command is there as npx finds it', () => {
  const bin = path.join(__dirname, '..', '..', '..', 'node_modules', '.bin', 'rivulet');
  expect(execFileSync(bin, ['--version'], { encoding: 'utf8' })).toBe(`${program.version()}\n`);
});
