/** Metadata of open and end: a JSON object, small and shallow, so that every later step may stringify and compare it without a thought. */
export type Metadata = Record<string, unknown>;

export const METADATA_BYTES_MAX = 64 * 1024;
export const METADATA_DEPTH_MAX = 32;

/**
 * @returns why a value cannot be metadata, or null when it can. For whoever takes metadata from outside: what does not pass here
 * would be an undecodable record in the log.
 */
export function metadataProblem(value: unknown): string | null {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return 'metadata must be a JSON object';
  if (!isShallow(value, METADATA_DEPTH_MAX)) return `metadata is nested deeper than ${METADATA_DEPTH_MAX} levels`;
  if (new TextEncoder().encode(JSON.stringify(value)).length > METADATA_BYTES_MAX) return `metadata is larger than ${METADATA_BYTES_MAX} bytes`;
  return null;
}

/** @returns JSON, or '' for an empty object. */
export function metadataJson(metadata: Metadata): string {
  const json = JSON.stringify(metadata);
  return json === '{}' ? '' : json;
}

/** @throws Error when the text is not metadata */
export function parseMetadata(json: string): Metadata {
  if (json === '') return {};
  if (json.length > METADATA_BYTES_MAX) throw new Error('metadata is too large.');
  const value: unknown = JSON.parse(json);
  const problem = metadataProblem(value);
  if (problem !== null) throw new Error(`${problem}.`);
  return value as Metadata;
}

/** Depth is bounded before anything recursive sees the value: JSON.parse takes nesting that JSON.stringify overflows on. */
function isShallow(value: unknown, depth: number): boolean {
  if (typeof value !== 'object' || value === null) return true;
  if (depth === 0) return false;
  for (const inner of Object.values(value)) if (!isShallow(inner, depth - 1)) return false;
  return true;
}

/** Equality of JSON values, whatever the order of keys. */
export function isSameJson(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const keys = Object.keys(a);
  if (keys.length !== Object.keys(b).length) return false;
  return keys.every((key) => Object.hasOwn(b, key) && isSameJson((a as Metadata)[key], (b as Metadata)[key]));
}
