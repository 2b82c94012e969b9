import { InvalidArgumentError } from 'commander';

/** For commander: a whole number within bounds. */
export const whole = (min: number, max: number) => (text: string): number => {
  const number = Number(text);
  if (!/^\d+$/.test(text) || number < min || number > max) throw new InvalidArgumentError(`It must be a whole number from ${min} to ${max}.`);
  return number;
};

/** For commander: `4x`, `0.5x` or `max`. @returns how many times faster than it was; Infinity: without waiting */
export function speed(text: string): number {
  if (text === 'max') return Infinity;
  const factor = Number(/^(\d+(?:\.\d+)?)x?$/.exec(text)?.[1] ?? NaN);
  if (!(factor >= 0.01 && factor <= 10_000)) throw new InvalidArgumentError('It must be such as 1x, 0.5x, 4x, or max.');
  return factor;
}
