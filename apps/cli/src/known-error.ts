import { ERRORS } from '@rivulet/protocol';
import type { StreamError } from '@rivulet/protocol';

/**
 * An error of the table, or null. The SDK carries a copy of the protocol of its own, so its errors are of another class with the same
 * name: codes are what is matched, never the class.
 */
export function knownError(error: unknown): StreamError | null {
  const isKnown = error instanceof Error && error.name === 'StreamError' && String((error as StreamError).code) in ERRORS;
  return isKnown ? (error as StreamError) : null;
}
