/** @returns what the promise gives, or a rejection after so long. The work itself is not stopped: whoever calls cuts it off. */
export function withDeadline<T>(promise: Promise<T>, afterMs: number, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} took longer than ${Math.round(afterMs)} ms`)), afterMs);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
