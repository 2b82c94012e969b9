/** One row of a config table: how one environment variable is read, and what is said about it. */
export interface Row<T = unknown> {
  readonly env: string;
  /** In words, for --help and docs/CONFIG.md: `integer`, `kafka | memory`, `list`. */
  readonly type: string;
  /** As it would be written in the environment; '' when there is none. */
  readonly defaultText: string;
  /** In words; '' when the type says it all. */
  readonly range: string;
  readonly doc: string;
  /** Printed redacted, and may come from the file named by `<env>_FILE`. */
  readonly isSecret: boolean;
  readonly fallback: T;
  /** @throws RowProblem with the remedy */
  parse(text: string): T;
  /** What only makes sense beside other rows. @returns the problem with its remedy, or null */
  check?(values: Readonly<Record<string, unknown>>): string | null;
}

export type Rows = Readonly<Record<string, Row>>;
/** The values of a table, by the keys of its rows. */
export type ConfigOf<R extends Rows> = { readonly [K in keyof R]: R[K] extends Row<infer T> ? T : never };

/** A value that cannot be read; the message names the remedy. */
export class RowProblem extends Error {}

interface RowText {
  env: string;
  doc: string;
  check?: Row['check'];
}

export function integerRow(options: RowText & { fallback: number; min: number; max: number }): Row<number> {
  const { fallback, min, max, ...text } = options;
  const range = `${min} to ${max}`;
  return {
    ...text, type: 'integer', defaultText: String(fallback), range, isSecret: false, fallback,
    parse(value) {
      const number = Number(value);
      if (!/^-?\d+$/.test(value) || number < min || number > max) {
        throw new RowProblem(`is ${JSON.stringify(value)}; set it to a whole number from ${range}`);
      }
      return number;
    },
  };
}

export function choiceRow<const C extends string>(options: RowText & { choices: readonly C[]; fallback: C }): Row<C> {
  const { fallback, choices, ...text } = options;
  return {
    ...text, type: choices.join(' | '), defaultText: fallback, range: '', isSecret: false, fallback,
    parse(value) {
      const choice = choices.find((one) => one === value);
      if (choice === undefined) throw new RowProblem(`is ${JSON.stringify(value)}; set it to one of ${choices.join(', ')}`);
      return choice;
    },
  };
}

export function textRow(options: RowText & { fallback: string; pattern: RegExp; range: string; isSecret?: boolean }): Row<string> {
  const { fallback, pattern, isSecret = false, ...text } = options;
  return {
    ...text, type: 'text', defaultText: fallback, isSecret, fallback,
    parse(value) {
      if (!pattern.test(value)) throw new RowProblem(`${isSecret ? 'cannot be used' : `is ${JSON.stringify(value)}`}; set it to ${text.range}`);
      return value;
    },
  };
}

export function urlRow(options: RowText & { fallback: string }): Row<string> {
  return {
    ...options, type: 'URL', defaultText: options.fallback, range: 'http or https, no path', isSecret: false,
    parse(value) {
      const url = URL.canParse(value) ? new URL(value) : null;
      if (!url || !/^https?:$/.test(url.protocol) || url.pathname !== '/' || url.search !== '') {
        throw new RowProblem(`is ${JSON.stringify(value)}; set it to a URL such as https://rivulet.example.org`);
      }
      return url.origin;
    },
  };
}

/** Comma-separated; blanks around entries are dropped. `parseEntry` throws RowProblem without showing a secret. */
export function listRow<T>(options: RowText & {
  entry: string; countMax: number; isSecret?: boolean; parseEntry: (text: string) => T; fallbackText?: string;
}): Row<readonly T[]> {
  const { entry, countMax, isSecret = false, parseEntry, fallbackText = '', ...text } = options;
  const parse = (value: string): readonly T[] => {
    const entries = value.split(',').map((one) => one.trim()).filter((one) => one !== '');
    if (entries.length > countMax) throw new RowProblem(`has ${entries.length} entries; at most ${countMax} are taken`);
    return Object.freeze(entries.map(parseEntry));
  };
  const range = `at most ${countMax}, comma-separated`;
  return { ...text, type: `list of ${entry}`, defaultText: fallbackText, range, isSecret, fallback: parse(fallbackText), parse };
}
