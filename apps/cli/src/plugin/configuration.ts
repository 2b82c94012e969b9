import { readFileSync } from 'node:fs';
import { UsageError } from '../exit-codes';

/** @param file - is stdin. @throws UsageError, which quotes nothing of it: that may be a secret */
export function configurationIn(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file === '-' ? 0 : file, 'utf8'));
  } catch (error) {
    throw new UsageError(`The configuration ${file} cannot be read: ${error instanceof SyntaxError ? 'it is no JSON' : (error as Error).message}.`);
  }
}
