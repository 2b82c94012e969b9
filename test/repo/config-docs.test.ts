import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { allocatorRows } from '@rivulet/allocator';
import { fanoutRows } from '@rivulet/fanout';
import { ingestRows } from '@rivulet/ingest';
import { pluginsRows } from '@rivulet/plugins';
import { configMarkdown, serviceRows } from '@rivulet/service';
import type { ConfigSection, Rows } from '@rivulet/service';
import { standaloneRows } from '@rivulet/standalone';

const { configSections } = require('../../tools/config-sections.cjs') as { configSections: (rows: Record<string, Rows>) => ConfigSection[] };
const sections = configSections({
  service: serviceRows, allocator: allocatorRows, ingest: ingestRows, fanout: fanoutRows, plugins: pluginsRows, standalone: standaloneRows,
});

test('docs/CONFIG.md says what the config tables say (else: npm run build && node tools/config-docs.mjs)', () => {
  expect(readFileSync(join(__dirname, '..', '..', 'docs', 'CONFIG.md'), 'utf8')).toBe(configMarkdown(sections));
});

test('every row has a name of its own, and says what it means', () => {
  const rows = sections.flatMap((section) => Object.values(section.rows));
  expect(new Set(rows.map((row) => row.env)).size).toBe(rows.length);
  for (const row of rows) expect(`${row.env}: ${row.doc}`).toMatch(/: .{10,}\.$/);
});
