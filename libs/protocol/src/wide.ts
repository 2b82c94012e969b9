/** What the generated code gives for 64-bit integers. */
interface Integer64 { toNumber(): number }
export type Wide = number | Integer64;

/** @throws Error beyond 2^53 */
export function safeNumber(value: Wide, field: string): number {
  const number = typeof value === 'number' ? value : value.toNumber();
  if (!Number.isSafeInteger(number)) throw new Error(`${field} is beyond 2^53.`);
  return number;
}
