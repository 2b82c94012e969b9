import type { LifecycleValue, OwnerValue, Version } from './lifecycle';

/** Values of the topic `rivulet.lifecycle` ⇄ JSON bytes. */
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** [OWN-2] @returns whether `a` is newer: by claim, then folded offset, then count at that offset; equal versions are not newer */
export function isNewer(a: Version, b: Version): boolean {
  if (a[0] !== b[0]) return a[0] > b[0];
  if (a[1] !== b[1]) return a[1] > b[1];
  return a[2] > b[2];
}

/** In `#owner` values: this record is a claim, and its own offset is the claim [OWN-2]. */
export const CLAIMING = -1;

/** Claim of an `#owner` record: its own offset when it is the claim itself, else the claim its writer already had. */
export function claimOf(version: Version, offset: number): number {
  return version[0] === CLAIMING ? offset : version[0];
}

export function encodeLifecycle(value: LifecycleValue): Uint8Array {
  return encoder.encode(JSON.stringify(value));
}

const NUMBERS = ['openedAt', 'openedOffset', 'epoch', 'sequence', 'bytes', 'checksum', 'updatedAt'];

/** @throws Error when the bytes are not a lifecycle value. The checkpoint inside is decodeState's to judge. */
export function decodeLifecycle(bytes: Uint8Array): LifecycleValue {
  const value = decode(bytes);
  const isShaped = typeof value.streamNo === 'string' && typeof value.status === 'string' && isObject(value.open)
    && Array.isArray(value.attempts) && Array.isArray(value.verdicts) && Array.isArray(value.positions)
    && NUMBERS.every((field) => Number.isFinite(value[field]))
    && (value.final === null || isObject(value.final));
  if (!isShaped) throw new Error('Not a lifecycle value.');
  return value as unknown as LifecycleValue;
}

export function encodeOwner(value: OwnerValue): Uint8Array {
  return encoder.encode(JSON.stringify(value));
}

/** @throws Error when the bytes are not an owner value */
export function decodeOwner(bytes: Uint8Array): OwnerValue {
  const value = decode(bytes);
  const isShaped = typeof value.instance === 'string' && typeof value.address === 'string' && typeof value.logId === 'string'
    && Number.isSafeInteger(value.replayFrom);
  if (!isShaped) throw new Error('Not an owner value.');
  return value as unknown as OwnerValue;
}

function decode(bytes: Uint8Array): Record<string, unknown> {
  const value: unknown = JSON.parse(decoder.decode(bytes));
  if (!isObject(value) || !isVersion(value.version)) throw new Error('Not a versioned value.');
  return value;
}

function isVersion(value: unknown): value is Version {
  return Array.isArray(value) && value.length === 3 && value.every(Number.isSafeInteger);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
