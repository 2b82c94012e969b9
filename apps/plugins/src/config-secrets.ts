import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto';

/** A secret in a stored configuration: AES-256-GCM, bound to its plugin and field, so that it cannot be moved to another. Base64. */
interface Sealed { $secret: 'aes-256-gcm'; keyId: string; iv: string; tag: string; text: string }

/** Shown in place of a secret; given in its place, it means: as it is stored. */
export const MASK = '[secret]';
const IV_BYTES = 12;

/** A secret that cannot be read here. */
export class SealProblem extends Error {}

/** Tells which key a value was encrypted with, and nothing of the key. */
export const keyIdOf = (key: Uint8Array): string => createHash('sha256').update('rivulet plugin config key').update(key).digest('hex').slice(0, 8);

/** Encrypts and decrypts the secrets of configurations. The first key encrypts, all decrypt: that is how a key is changed. */
export class ConfigSecrets {
  private readonly keys: Map<string, Uint8Array>;

  constructor(keys: readonly Uint8Array[]) {
    this.keys = new Map(keys.map((key) => [keyIdOf(key), key]));
  }

  get hasKey(): boolean {
    return this.keys.size > 0;
  }

  /** @param fields as secretFields names them */
  seal(plugin: string, settings: unknown, fields: readonly string[]): unknown {
    // Fields may overlap: what is encrypted already stays.
    const sealOne = (secret: unknown, path: string): unknown => (isSealed(secret) ? secret : this.sealOne(plugin, path, secret));
    return fields.reduce((value, field) => mapAt(value, segmentsOf(field), sealOne), settings);
  }

  /** @throws SealProblem */
  open(plugin: string, settings: unknown): unknown {
    return mapSealed(settings, (sealed, path) => this.openOne(plugin, path, sealed));
  }

  private sealOne(plugin: string, path: string, secret: unknown): Sealed {
    const [keyId, key] = [...this.keys][0]!;
    const iv = randomBytes(IV_BYTES);
    const cipher = createCipheriv('aes-256-gcm', key, iv).setAAD(boundTo(plugin, path));
    const text = Buffer.concat([cipher.update(JSON.stringify(secret), 'utf8'), cipher.final()]);
    return { $secret: 'aes-256-gcm', keyId, iv: iv.toString('base64'), tag: cipher.getAuthTag().toString('base64'), text: text.toString('base64') };
  }

  private openOne(plugin: string, path: string, { keyId, iv, tag, text }: Sealed): unknown {
    const key = this.keys.get(keyId);
    if (!key) throw new SealProblem(`${path || 'It'} is encrypted with the key ${keyId}, which this host does not have`);
    try {
      const decipher = createDecipheriv('aes-256-gcm', key, Buffer.from(iv, 'base64'), { authTagLength: 16 }).setAAD(boundTo(plugin, path)).setAuthTag(Buffer.from(tag, 'base64'));
      return JSON.parse(Buffer.concat([decipher.update(Buffer.from(text, 'base64')), decipher.final()]).toString('utf8'));
    } catch (cause) {
      throw new SealProblem(`${path || 'It'} cannot be decrypted: it was changed, or moved from another place`, { cause });
    }
  }
}

export const segmentsOf = (field: string): string[] => (field === '' ? [] : field.split('.'));
export const isSealed = (value: unknown): value is Sealed => typeof value === 'object' && value !== null && '$secret' in value;
const boundTo = (plugin: string, path: string): Buffer => Buffer.from(`${plugin}\0${path}`);

/** @returns a copy with what is at the path changed; `*` is every element. What is not there stays away. */
export function mapAt(value: unknown, [name, ...rest]: readonly string[], change: (inner: unknown, path: string) => unknown, at = ''): unknown {
  if (value === undefined) return value;
  if (name === undefined) return change(value, at);
  const inside = (key: string): string => (at === '' ? key : `${at}.${key}`);
  if (typeof value !== 'object' || value === null || isSealed(value)) return value;
  if (Array.isArray(value)) return name === '*' ? value.map((one, index) => mapAt(one, rest, change, inside(String(index)))) : value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, name === '*' || name === key ? mapAt(inner, rest, change, inside(key)) : inner]));
}

/** @returns a copy with every sealed value in it changed */
export function mapSealed(value: unknown, change: (sealed: Sealed, path: string) => unknown, at = ''): unknown {
  if (isSealed(value)) return change(value, at);
  const inside = (key: string): string => (at === '' ? key : `${at}.${key}`);
  if (Array.isArray(value)) return value.map((one, index) => mapSealed(one, change, inside(String(index))));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, mapSealed(inner, change, inside(key))]));
}
