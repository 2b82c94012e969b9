import { Argument, Command } from 'commander';
import { withExamples } from './examples';
import { putLine } from './output';

export type Shell = 'bash' | 'zsh' | 'fish';

/** @param program asked when a script is made: by then it has all its commands */
export function completionCommand(program: () => Command): Command {
  const command = new Command('completion')
    .summary('print the completion script of a shell')
    .description('Print the completion script of a shell.')
    .addArgument(new Argument('<shell>', 'which shell').choices(['bash', 'zsh', 'fish']));
  return withExamples(command,
    'rivulet completion bash > ~/.local/share/bash-completion/completions/rivulet', 'rivulet completion zsh > "${fpath[1]}/_rivulet"',
    'rivulet completion fish > ~/.config/fish/completions/rivulet.fish')
    .action((shell: Shell) => putLine(completionScript(program(), shell)));
}

interface Word { name: string; about: string; flags: { names: string[]; about: string }[]; inner: Word[] }

const wordOf = (command: Command): Word => ({
  name: command.name(),
  about: command.summary(),
  flags: command.createHelp().visibleOptions(command).map((option) => ({
    names: [option.short, option.long].filter((name): name is string => Boolean(name)), about: option.description,
  })),
  inner: command.commands.map(wordOf),
});

export function completionScript(program: Command, shell: Shell): string {
  const words = program.commands.map(wordOf);
  if (shell === 'fish') return fish(words);
  return shell === 'zsh' ? zsh(words) : bash(words);
}

const firstSentence = (text: string): string => text.split(/[.:;](?:\s|$)/, 1)[0] ?? text;
const flagsOf = (word: Word): string => word.flags.flatMap(({ names }) => names).join(' ');
const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;

const namesOf = (words: Word[]): string => words.map(({ name }) => name).join(' ');
const groupsOf = (words: Word[]): Word[] => words.filter(({ inner }) => inner.length > 0);
const plainOf = (words: Word[]): Word[] => words.filter(({ inner }) => inner.length === 0);

function bash(words: Word[]): string {
  const groups = groupsOf(words).map((group) => `  if [ "\${COMP_WORDS[1]}" = ${group.name} ]; then
    if [ "$COMP_CWORD" -eq 2 ]; then COMPREPLY=($(compgen -W '${namesOf(group.inner)} --help' -- "$word")); return; fi
    case \${COMP_WORDS[2]} in
${bashCases(group.inner, '      ')}
    esac
    return
  fi`);
  return `_rivulet() {
  local word=\${COMP_WORDS[COMP_CWORD]}
  if [ "$COMP_CWORD" -eq 1 ]; then COMPREPLY=($(compgen -W '${namesOf(words)} --help --version' -- "$word")); return; fi
${groups.join('\n')}
  case \${COMP_WORDS[1]} in
${bashCases(plainOf(words), '    ')}
  esac
}
complete -o default -F _rivulet rivulet`;
}

const bashCases = (words: Word[], indent: string): string =>
  words.map((word) => `${indent}${word.name}) COMPREPLY=($(compgen -W '${flagsOf(word)}' -- "$word"));;`).join('\n');

function zsh(words: Word[]): string {
  return `#compdef rivulet
_rivulet() {
  if (( CURRENT == 2 )); then
    local -a commands=(
${words.map(({ name, about }) => `      ${quoted(`${name}:${about}`)}`).join('\n')}
    )
    _describe command commands
    return
  fi
${groupsOf(words).map((group) => `  if [[ $words[2] == ${group.name} ]]; then
    if (( CURRENT == 3 )); then compadd -- ${namesOf(group.inner)}; return; fi
    case $words[3] in
${zshCases(group.inner, '      ')}
    esac
    return
  fi`).join('\n')}
  case $words[2] in
${zshCases(plainOf(words), '    ')}
  esac
}
compdef _rivulet rivulet`;
}

const zshCases = (words: Word[], indent: string): string =>
  words.map((word) => `${indent}${word.name}) compadd -- ${flagsOf(word)}; _files;;`).join('\n');

/** @param when a condition of fish under which these commands may follow */
function fish(words: Word[], when = '__fish_use_subcommand', before = ''): string {
  const lines = words.flatMap(({ name, about, flags, inner }) => {
    const seen = `${before}__fish_seen_subcommand_from ${name}`;
    return [
      `complete -c rivulet -n ${quoted(when)} -a ${name} -d ${quoted(about)}`,
      ...flags.map(({ names, about: what }) => {
        const flag = names.map((one) => (one.startsWith('--') ? `-l ${one.slice(2)}` : `-s ${one.slice(1)}`)).join(' ');
        return `complete -c rivulet -n ${quoted(seen)} ${flag} -d ${quoted(firstSentence(what))}`;
      }),
      ...(inner.length === 0 ? [] : [fish(inner, `${seen}; and not __fish_seen_subcommand_from ${namesOf(inner)}`, `${seen}; and `)]),
    ];
  });
  return lines.join('\n');
}
