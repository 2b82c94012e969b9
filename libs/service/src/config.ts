import { readFileSync } from 'node:fs';
import { RowProblem } from './config-row';
import type { ConfigOf, Row, Rows } from './config-row';

const OUR_PREFIX = 'RIVULET_';
/** Each app takes only its own rows; another app's names may be in the same environment (one .env for all). */
const APP_PREFIXES = ['ALLOCATOR', 'INGEST', 'FANOUT', 'STANDALONE', 'PLUGINS', 'START'].map((app) => `${OUR_PREFIX}${app}_`);

/** All problems of a configuration at once, each with its remedy. */
export class ConfigError extends Error {
  constructor(readonly problems: readonly string[]) {
    super(`The configuration cannot be used:\n${problems.map((problem) => `  - ${problem}`).join('\n')}`);
    this.name = 'ConfigError';
  }
}

/**
 * Reads a table from the environment, once.
 * @param appPrefixes of this app's own names, e.g. `RIVULET_INGEST_`; an unknown name with it, or with no app's prefix, stops the start
 * @throws ConfigError
 */
export function readConfig<R extends Rows>(rows: R, env: NodeJS.ProcessEnv, appPrefixes: string | readonly string[]): ConfigOf<R> {
  const problems: string[] = unknownNames(rows, env, typeof appPrefixes === 'string' ? [appPrefixes] : appPrefixes);
  const values: Record<string, unknown> = {};
  const unreadable = new Set<string>();
  for (const [key, row] of Object.entries(rows)) {
    try {
      const text = textOf(row, env);
      values[key] = text === undefined ? row.fallback : row.parse(text);
    } catch (error) {
      if (!(error instanceof RowProblem)) throw error;
      problems.push(`${row.env} ${error.message}.`);
      unreadable.add(key);
      values[key] = row.fallback;
    }
  }
  for (const [key, row] of Object.entries(rows)) {
    const problem = unreadable.has(key) ? null : row.check?.(values);
    if (problem) problems.push(`${row.env} ${problem}.`);
  }
  if (problems.length > 0) throw new ConfigError(problems);
  return Object.freeze(values) as ConfigOf<R>;
}

function textOf(row: Row, env: NodeJS.ProcessEnv): string | undefined {
  // An empty variable counts as unset: compose files write `NAME: ${NAME:-}`.
  const text = env[row.env] || undefined;
  const file = row.isSecret ? env[`${row.env}_FILE`] || undefined : undefined;
  if (file === undefined) return text?.trim();
  if (text !== undefined) throw new RowProblem(`and ${row.env}_FILE are both set; keep one of them`);
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (error) {
    throw new RowProblem(`cannot be read from the file of ${row.env}_FILE (${(error as Error).message}); mend the path or its rights`);
  }
}

function unknownNames(rows: Rows, env: NodeJS.ProcessEnv, own: readonly string[]): string[] {
  const known = new Set(Object.values(rows).flatMap((row) => (row.isSecret ? [row.env, `${row.env}_FILE`] : [row.env])));
  const others = APP_PREFIXES.filter((prefix) => !own.includes(prefix));
  return Object.keys(env)
    .filter((name) => name.startsWith(OUR_PREFIX) && !known.has(name) && !others.some((prefix) => name.startsWith(prefix)))
    .map((name) => `${name} is not a setting; remove it${nearest(name, known)} (--help lists them all).`);
}

/** A misspelt name is the usual case: name the one that was meant. */
function nearest(name: string, known: ReadonlySet<string>): string {
  const best = [...known].map((one) => ({ one, distance: editDistance(name, one) })).sort((a, b) => a.distance - b.distance)[0];
  return best && best.distance <= 4 ? `, or did you mean ${best.one}` : '';
}

function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i += 1) {
    const current = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const substituted = (previous[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      current.push(Math.min(substituted, (previous[j] ?? 0) + 1, (current[j - 1] ?? 0) + 1));
    }
    previous = current;
  }
  return previous[b.length] ?? 0;
}

/** One line per row, `NAME=value`, secrets as how many there are. */
export function printConfig(rows: Rows, values: Readonly<Record<string, unknown>>): string {
  return Object.entries(rows).map(([key, row]) => `${row.env}=${shown(row, values[key])}`).join('\n');
}

function shown(row: Row, value: unknown): string {
  if (row.isSecret) {
    if (Array.isArray(value)) return value.length === 0 ? '' : `[redacted, ${value.length}]`;
    return value === '' ? '' : '[redacted]';
  }
  return Array.isArray(value) ? value.join(',') : String(value);
}

/** The text of --help. */
export function helpText(app: string, rows: Rows): string {
  const lines = Object.values(rows).flatMap((row) => {
    const facts = [row.type, row.range, row.defaultText === '' ? '' : `default ${row.defaultText}`].filter((fact) => fact !== '');
    return [`  ${row.env}  (${facts.join('; ')})`, `      ${row.doc}`];
  });
  return [
    `${app}: configured by environment variables. Secrets may be files: NAME_FILE=/path.`,
    'Options: --check-config (print the configuration, redacted; exit 0 or 1), --help', '', ...lines, '',
  ].join('\n');
}
