import type { ErrorCode } from '@rivulet/protocol';
import { CommanderError } from 'commander';
import { StreamError } from '@rivulet/protocol';
import { EXIT_CODES, exitOf, Interrupted, UsageError } from './exit-codes';
import { endQuietlyWhenUnread, flushed, tell } from './output';
import { buildProgram } from './program';

/** What to do at a prompt, where the remedy of the table is for programs. */
const HINTS: Partial<Record<ErrorCode, string>> = {
  NOT_READY: ' Where it is: --url or RIVULET_URL; what is wrong with it: rivulet doctor.',
  UNAUTHENTICATED: ' Give a credential of this installation in RIVULET_TOKEN (or --token).',
};

/** In words, without the stack: what happened and what to do, never a credential. */
function explain(error: unknown): string {
  const known = error instanceof StreamError ? error : null;
  if (known !== null) return `${known.code}: ${known.details.detail ?? known.row.text}${HINTS[known.code] ?? ''}`;
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
      const code = error instanceof StreamError ? error.code : error instanceof UsageError ? 'USAGE' : 'INTERNAL';
      tell(isJson ? JSON.stringify({ code, detail: explain(error) }) : `rivulet: ${explain(error)}`);
    }
  }
  await flushed();
  process.exit();
}

void main();
