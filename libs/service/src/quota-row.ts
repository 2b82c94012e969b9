import { RowProblem } from './config-row';
import type { Row } from './config-row';

/** What one API key may use; an absent limit is none [APPEND-13]. */
export interface QuotaLimits {
  /** Streams that are not final yet. */
  readonly openStreams?: number;
  readonly opensPerSecond?: number;
  /** Payload bytes appended. */
  readonly bytesPerSecond?: number;
  readonly fragmentsPerSecond?: number;
}
export type QuotaName = keyof QuotaLimits;

const RANGES: Readonly<Record<QuotaName, readonly [least: number, most: number]>> = {
  openStreams: [0, 10_000_000], opensPerSecond: [1, 1_000_000],
  bytesPerSecond: [1, 1_000_000_000_000], fragmentsPerSecond: [1, 1_000_000_000],
};
const NAMES = Object.keys(RANGES) as QuotaName[];
const SHAPE = 'an entry is keyId:quota=number,… or keyId:unlimited, entries are separated by ;';

/** Every key without an entry of its own. */
export const ANY_KEY = '*';

/** The quotas as they were configured, by key id. */
export class QuotaTable {
  constructor(private readonly limits: ReadonlyMap<string, QuotaLimits>) {}

  get keys(): string[] {
    return [...this.limits.keys()];
  }

  /** An entry of its own replaces that of `*` as a whole. @returns null when the key is unlimited */
  of(key: string): QuotaLimits | null {
    const limits = this.limits.get(key) ?? this.limits.get(ANY_KEY);
    return limits && Object.keys(limits).length > 0 ? limits : null;
  }

  /** As it would be written in the environment. */
  toString(): string {
    return [...this.limits].map(([key, limits]) => {
      const pairs = Object.entries(limits).map(([name, limit]) => `${name}=${limit}`);
      return `${key}:${pairs.length === 0 ? 'unlimited' : pairs.join(',')}`;
    }).join(';');
  }
}

/** @throws RowProblem with the entry and what is wrong with it */
export function parseQuotas(text: string): QuotaTable {
  const limits = new Map<string, QuotaLimits>();
  for (const entry of text.split(';').map((one) => one.trim()).filter((one) => one !== '')) {
    const colon = entry.indexOf(':');
    const key = entry.slice(0, Math.max(colon, 0)).trim();
    if (key !== ANY_KEY && !/^[a-z0-9-]{1,32}$/i.test(key)) throw new RowProblem(`has the entry ${JSON.stringify(entry)}; ${SHAPE}`);
    if (limits.has(key)) throw new RowProblem(`has two entries for ${key}; write its quotas in one, separated by commas`);
    limits.set(key, parseLimits(key, entry.slice(colon + 1).trim()));
  }
  return new QuotaTable(limits);
}

function parseLimits(key: string, text: string): QuotaLimits {
  const limits: Partial<Record<QuotaName, number>> = {};
  if (text === 'unlimited') return limits;
  for (const pair of text.split(',').map((one) => one.trim())) {
    const [name = '', value = '', ...rest] = pair.split('=').map((one) => one.trim());
    const known = NAMES.find((one) => one === name);
    if (!known || rest.length > 0) throw new RowProblem(`has ${JSON.stringify(pair)} for ${key}; there are ${NAMES.join(', ')}, each with =number, or unlimited alone`);
    if (limits[known] !== undefined) throw new RowProblem(`gives ${known} of ${key} twice; keep one`);
    const [least, most] = RANGES[known];
    const limit = Number(value);
    if (!/^\d+$/.test(value) || limit < least || limit > most) {
      throw new RowProblem(`has ${known}=${value} for ${key}; set it to a whole number from ${least} to ${most}`);
    }
    limits[known] = limit;
  }
  return limits;
}

export function quotaRow(options: Pick<Row, 'env' | 'doc' | 'check'>): Row<QuotaTable> {
  return {
    ...options, type: 'list of keyId:quota=number,…', defaultText: '', range: `${NAMES.join(', ')}; keys separated by ;`, isSecret: false,
    fallback: new QuotaTable(new Map()), parse: parseQuotas,
  };
}
