import { Interrupted } from './exit-codes';

/** Whoever reads us may stop at any time (`| head`): that is no error, and nobody is left to tell. */
export function endQuietlyWhenUnread(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(process.exitCode ?? 0);
    throw error;
  });
  process.stderr.on('error', () => undefined);
}

/** Content and answers. @returns when there is room for more, so that a slow reader slows the source down and memory stays flat */
export function put(content: string | Uint8Array): Promise<void> {
  if (process.stdout.write(content)) return Promise.resolve();
  return new Promise((resolve) => process.stdout.once('drain', resolve));
}

export const putLine = (text: string): Promise<void> => put(`${text}\n`);
export const putJson = (value: unknown): Promise<void> => putLine(JSON.stringify(value));

/** What is for people and not part of the content. */
export function tell(text: string): void {
  process.stderr.write(`${text}\n`);
}

/** Resolves once everything written has left the process. */
export function flushed(): Promise<void> {
  return new Promise((resolve) => process.stdout.write('', () => process.stderr.write('', () => resolve())));
}

/** Fires at the first Ctrl-C or SIGTERM; a second one ends the process at once. */
export function interruption(): AbortSignal {
  const controller = new AbortController();
  const stop = (): void => {
    if (controller.signal.aborted) process.exit(130);
    controller.abort(new Interrupted('Interrupted.'));
  };
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
  return controller.signal;
}

/** Columns as wide as their widest cell; the last one as long as it is. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length)));
  return rows.map((row) => row.map((cell, column) => (column === row.length - 1 ? cell : cell.padEnd(widths[column]!))).join('  ')).join('\n');
}
