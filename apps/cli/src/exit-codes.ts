import { StreamError } from '@rivulet/protocol';
import { CommanderError } from 'commander';
import type { ErrorCode } from '@rivulet/protocol';

/** What the process ends with; docs/CLI.md has the same table, held by a test. */
export const EXIT_CODES = {
  ok: { code: 0, meaning: 'done; a followed stream ended, nothing was found' },
  failed: { code: 1, meaning: 'a finding, a stream that did not end well, or a call that was refused' },
  usage: { code: 2, meaning: 'wrong arguments or options, or none for what is needed' },
  unreachable: { code: 3, meaning: 'the service, or Kafka, does not answer' },
  forbidden: { code: 4, meaning: 'no credential, or one that may not do this' },
  interrupted: { code: 130, meaning: 'Ctrl-C, or SIGTERM' },
} as const;

export type ExitName = keyof typeof EXIT_CODES;

/** Wrong use of the command line; the message says what to write instead. */
export class UsageError extends Error {}

/** Ctrl-C: whatever waited was given up. */
export class Interrupted extends Error {}

const EXIT_OF: Partial<Record<ErrorCode, ExitName>> = {
  NOT_READY: 'unreachable', LOG_UNAVAILABLE: 'unreachable', ALLOCATOR_UNAVAILABLE: 'unreachable',
  UNAUTHENTICATED: 'forbidden', TOKEN_EXPIRED: 'forbidden', FORBIDDEN: 'forbidden',
  OPTIONS_INVALID: 'usage', CURSOR_INVALID: 'usage',
};

export function exitOf(error: unknown): ExitName {
  if (error instanceof Interrupted) return 'interrupted';
  if (error instanceof UsageError) return 'usage';
  if (error instanceof CommanderError) return error.exitCode === 0 ? 'ok' : 'usage';
  const known = error instanceof StreamError ? error : null;
  return (known === null ? undefined : EXIT_OF[known.code]) ?? 'failed';
}
