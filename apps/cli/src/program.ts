import { Command } from 'commander';
import { cancelCommand } from './cancel-command';
import { completionCommand } from './completion-command';
import { doctorCommand } from './doctor-command';
import { EXIT_CODES } from './exit-codes';
import { getCommand } from './get-command';
import { inspectCommand } from './inspect-command';
import { listCommand } from './list-command';
import { pipeCommand } from './pipe-command';
import { pluginCommand } from './plugin/plugin-command';
import { replayCommand } from './replay-command';
import { sendCommand } from './send-command';
import { tailCommand } from './tail-command';
import { verifyCommand } from './verify-command';

const { version } = require('../package.json') as { version: string };

const exitCodes = (): string => Object.values(EXIT_CODES).map(({ code, meaning }) => `  ${String(code).padStart(3)}  ${meaning}`).join('\n');

/** The whole command line. It never exits by itself: main.ts turns what is thrown into an exit code. */
export function buildProgram(): Command {
  const program = new Command('rivulet');
  program
    .description('Streaming messages over Kafka: send, watch and inspect streams, verify and replay them from the log, find out what is wrong.')
    .version(version)
    .addHelpText('after', `
Where the service is: --url, else RIVULET_URL, else the npm start of the checkout you stand in. The credential: --token, else RIVULET_TOKEN.
Exit codes:
${exitCodes()}`);
  const commands = [
    pipeCommand(), tailCommand(), sendCommand(), getCommand(), listCommand(), inspectCommand(), cancelCommand(), verifyCommand(),
    replayCommand(), doctorCommand(), pluginCommand(), completionCommand(() => program),
  ];
  for (const command of commands) program.addCommand(command);
  for (const command of [program, ...commands.flatMap((one) => [one, ...one.commands])]) command.exitOverride().showHelpAfterError('(--help shows how it is used)');
  return program;
}

