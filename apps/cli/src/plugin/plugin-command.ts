import { Command } from 'commander';
import { withExamples } from '../examples';
import { logsCommand } from './logs-command';
import { statusCommand } from './status-command';

export function pluginCommand(): Command {
  const command = new Command('plugin')
    .summary('write, try, install and watch plugins')
    .description('Write, try, install and watch plugins: a plugin turns a request into a stream.');
  for (const inner of [statusCommand(), logsCommand()]) command.addCommand(inner);
  return withExamples(command, 'rivulet plugin status --watch', 'rivulet plugin logs -f ai-chat');
}
