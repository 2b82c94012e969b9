import { StreamError } from '@rivulet/protocol';
import type { Files } from './files';

const noPaths = (): Promise<never> => Promise.reject(new StreamError('OPTIONS_INVALID', {
  detail: 'A browser has no paths. Send a File or Blob; receive into a WritableStream, or take the Blob.',
}));

export const files: Files = { openSource: noPaths, openTarget: noPaths };
