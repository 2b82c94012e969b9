import type { Command } from 'commander';

/** Every command shows how it is used: most people read nothing else. */
export const withExamples = (command: Command, ...examples: string[]): Command =>
  command.addHelpText('after', `\nExamples:\n${examples.map((example) => `  ${example}`).join('\n')}`);
