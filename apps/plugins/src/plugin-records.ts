import { z } from 'zod';
import { decodeDesired } from './desired';
import type { Desired } from './desired';

/** What a package consists of; written after its parts, before anything refers to it. */
const manifest = z.object({
  kind: z.literal('package'), name: z.string(), version: z.string(), digest: z.string().length(64), bytes: z.number(), parts: z.number().int().min(1),
  /** SHA-256 over the unpacked files: what a host's copy is checked against. */
  tree: z.string().length(64), files: z.number().int(), unpackedBytes: z.number().int(), at: z.number(),
});
/** A configuration; each secret in it is an object of its own kind, encrypted. */
const storedConfig = z.object({
  kind: z.literal('config'), plugin: z.string(), settings: z.unknown(), secrets: z.array(z.string()), id: z.string(), by: z.string(), at: z.number(),
});
export type Manifest = z.output<typeof manifest>;
export type StoredConfig = z.output<typeof storedConfig>;
/** Where a part of a package stands in the log; its bytes stay there until they are needed. */
export interface Part { kind: 'part'; offset: number; bytes: number }
export type StoreRow = Desired | Manifest | StoredConfig | Part;

/** First segments of the keys that are not names of hosts. */
export const RESERVED = ['desired', 'package', 'config'] as const;

export const keyOf = {
  desired: (plugin: string): string => `desired/${plugin}`,
  config: (plugin: string): string => `config/${plugin}`,
  manifest: (digest: string): string => `package/${digest}`,
  part: (digest: string, index: number): string => `package/${digest}/${index}`,
};

export const isStoreKey = (key: string): boolean => RESERVED.some((kind) => key.startsWith(`${kind}/`));

/** @throws Error when the value is not what its key says */
export function decodeRow(key: string, value: Buffer, offset: number): StoreRow {
  const [kind, , part] = key.split('/');
  if (kind === 'package' && part !== undefined) return { kind: 'part', offset, bytes: value.length };
  const json: unknown = JSON.parse(value.toString('utf8'));
  if (kind === 'desired') return decodeDesired(json);
  return kind === 'config' ? storedConfig.parse(json) : manifest.parse(json);
}
