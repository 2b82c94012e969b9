// Writes docs/CONFIG.md from the config tables of the built apps: `node tools/config-docs.mjs`, after `npm run build`.
import { writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const load = createRequire(import.meta.url);
const { configSections } = load('./config-sections.cjs');
const rowsOf = (app, name) => load(`../apps/${app}/dist/index.js`)[name];
const { configMarkdown, serviceRows } = load('../libs/service/dist/index.js');

writeFileSync(join(root, 'docs', 'CONFIG.md'), configMarkdown(configSections({
  service: serviceRows,
  allocator: rowsOf('allocator', 'allocatorRows'),
  ingest: rowsOf('ingest', 'ingestRows'),
  fanout: rowsOf('fanout', 'fanoutRows'),
  plugins: rowsOf('plugins', 'pluginsRows'),
  standalone: rowsOf('standalone', 'standaloneRows'),
})));
