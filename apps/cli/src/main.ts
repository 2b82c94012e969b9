import { StreamError } from '@rivulet/protocol';
import { CommanderError } from 'commander';
import { EXIT_CODES, exitOf, Interrupted } from './exit-codes';
import { endQuietlyWhenUnread, flushed, tell } from './output';
import { buildProgram } from './program';

/** In words, without the stack: what happened and what to do, never a credential. */
function explain(error: unknown): string {
  if (error instanceof StreamError) return `${error.code}: ${error.details.detail ?? error.row.text}`;
  return error instanceof Error ? error.message : String(error);
}

async function main(): Promise<void> {
  endQuietlyWhenUnread();
  const isJson = process.argv.includes('--json');
  try {
    await buildProgram().parseAsync();
  } catch (error) {
    process.exitCode = EXIT_CODES[exitOf(error)].code;
    // commander has said it already.
    if (!(error instanceof CommanderError) && !(error instanceof Interrupted)) {
      const code = error instanceof StreamError ? error.code : 'USAGE';
      tell(isJson ? JSON.stringify({ code, detail: explain(error) }) : `rivulet: ${explain(error)}`);
    }
  }
  await flushed();
  process.exit();
}

void main();
