import { StreamError } from '@rivulet/protocol';

/** @returns what the peer is told of it: of a fault of ours, nothing but that it is one */
export const asStreamError = (error: unknown): StreamError =>
  (error instanceof StreamError ? error : new StreamError('INTERNAL', {}, { cause: error }));
