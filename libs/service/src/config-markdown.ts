import type { Row, Rows } from './config-row';

export interface ConfigSection {
  title: string;
  about: string;
  rows: Rows;
}

/** docs/CONFIG.md from the tables themselves, so that it cannot say anything else than the code. */
export function configMarkdown(sections: readonly ConfigSection[]): string {
  const parts = [
    '# Configuration',
    'Environment variables, read once at the start; an unknown `RIVULET_` name (one with the prefix of another app is passed over) or a value out of range stops it, with all problems listed at once.\n'
    + '`--check-config` prints what is in force (secrets redacted) and exits 0 or 1; `--help` prints this table.\n'
    + 'A name marked *secret* may also come from a file: `NAME_FILE=/run/secrets/name`. `_MS` is milliseconds, `_BYTES` bytes.',
    'This file is written by `node tools/config-docs.mjs`; a test fails when it differs from the code.',
    ...sections.flatMap(({ title, about, rows }) => [`## ${title}`, about, table(rows)]),
  ];
  return `${parts.join('\n\n')}\n`;
}

function table(rows: Rows): string {
  return ['| name | type | default | range | meaning |', '|---|---|---|---|---|', ...Object.values(rows).map(line)].join('\n');
}

function line(row: Row): string {
  const cells = [
    `\`${row.env}\`${row.isSecret ? ' *secret*' : ''}`, row.type, row.defaultText === '' ? '–' : `\`${row.defaultText}\``,
    row.range === '' ? '–' : row.range, row.doc,
  ];
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
}
