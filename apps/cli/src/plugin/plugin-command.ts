import { Command } from 'commander';
import { withExamples } from '../examples';
import { configCommand, disableCommand, enableCommand, packagesCommand, rollbackCommand, uninstallCommand } from './admin-commands';
import { createCommand } from './create-command';
import { devCommand } from './dev-command';
import { installCommand } from './install-command';
import { logsCommand } from './logs-command';
import { packCommand } from './pack-command';
import { statusCommand } from './status-command';

export function pluginCommand(): Command {
  const command = new Command('plugin')
    .summary('write, try, install and watch plugins')
    .description('Write, try, install and watch plugins: a plugin turns a request into a stream.');
  const inner = [
    createCommand(), devCommand(), packCommand(), installCommand(), statusCommand(), logsCommand(), configCommand(), enableCommand(),
    disableCommand(), rollbackCommand(), uninstallCommand(), packagesCommand(),
  ];
  for (const one of inner) command.addCommand(one);
  return withExamples(command, 'rivulet plugin create search', 'rivulet plugin install search-1.0.0.tgz', 'rivulet plugin status --watch');
}
