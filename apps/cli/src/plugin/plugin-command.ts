import { Command } from 'commander';
import { withExamples } from '../examples';
import { createCommand } from './create-command';
import { devCommand } from './dev-command';
import { logsCommand } from './logs-command';
import { packCommand } from './pack-command';
import { statusCommand } from './status-command';

export function pluginCommand(): Command {
  const command = new Command('plugin')
    .summary('write, try, pack and watch plugins')
    .description('Write, try, pack and watch plugins: a plugin turns a request into a stream.');
  for (const inner of [createCommand(), devCommand(), packCommand(), statusCommand(), logsCommand()]) command.addCommand(inner);
  return withExamples(command, 'rivulet plugin create search', 'rivulet plugin status --watch');
}
