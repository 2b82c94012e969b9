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

interface Word { name: string; about: string; flags: { names: string[]; about: string }[] }

export function completionScript(program: Command, shell: Shell): string {
  const words = program.commands.map((command): Word => ({
    name: command.name(),
    about: command.summary(),
    flags: command.createHelp().visibleOptions(command).map((option) => ({
      names: [option.short, option.long].filter((name): name is string => Boolean(name)), about: option.description,
    })),
  }));
  if (shell === 'fish') return fish(words);
  return shell === 'zsh' ? zsh(words) : bash(words);
}

const firstSentence = (text: string): string => text.split(/[.:;](?:\s|$)/, 1)[0] ?? text;
const flagsOf = (word: Word): string => word.flags.flatMap(({ names }) => names).join(' ');
const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;

function bash(words: Word[]): string {
  return `_rivulet() {
  local word=\${COMP_WORDS[COMP_CWORD]}
  if [ "$COMP_CWORD" -eq 1 ]; then COMPREPLY=($(compgen -W '${words.map(({ name }) => name).join(' ')} --help --version' -- "$word")); return; fi
  case \${COMP_WORDS[1]} in
${words.map((word) => `    ${word.name}) COMPREPLY=($(compgen -W '${flagsOf(word)}' -- "$word"));;`).join('\n')}
  esac
}
complete -o default -F _rivulet rivulet`;
}

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
  case $words[2] in
${words.map((word) => `    ${word.name}) compadd -- ${flagsOf(word)}; _files;;`).join('\n')}
  esac
}
compdef _rivulet rivulet`;
}

function fish(words: Word[]): string {
  const lines = words.flatMap(({ name, about, flags }) => [
    `complete -c rivulet -n __fish_use_subcommand -a ${name} -d ${quoted(about)}`,
    ...flags.map(({ names, about: what }) => {
      const flag = names.map((one) => (one.startsWith('--') ? `-l ${one.slice(2)}` : `-s ${one.slice(1)}`)).join(' ');
      return `complete -c rivulet -n '__fish_seen_subcommand_from ${name}' ${flag} -d ${quoted(firstSentence(what))}`;
    }),
  ]);
  return lines.join('\n');
}
