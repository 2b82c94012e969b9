import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { Command } from 'commander';
import { withExamples } from '../examples';
import { UsageError } from '../exit-codes';
import { putJson, putLine } from '../output';
import { withJson } from '../settings';
import { PLUGIN_NAME } from './plugin-folder';
import { templateFiles } from './template';

export function createCommand(): Command {
  const command = new Command('create')
    .summary('begin a plugin')
    .description('Make a folder with a plugin that works, its test, and what to do next.')
    .argument('<name>', 'name of the plugin, as in its URL; the folder is called so too');
  return withExamples(withJson(command, 'the folder and its files as JSON'), 'rivulet plugin create search').action(create);
}

async function create(name: string, options: { json?: boolean }): Promise<void> {
  if (!PLUGIN_NAME.test(name)) throw new UsageError(`${JSON.stringify(name)} cannot be the name of a plugin; take 1 to 64 of a-z 0-9 -, such as search.`);
  const folder = path.resolve(name);
  const files = templateFiles(name);
  for (const content of contentsOf(folder)) throw new UsageError(`${folder} is there already, with ${content} in it; take another name, or empty it.`);
  mkdirSync(folder, { recursive: true });
  for (const [file, text] of Object.entries(files)) writeFileSync(path.join(folder, file), text, { flag: 'wx' });
  if (options.json) return putJson({ name, folder, files: Object.keys(files) });
  await putLine(`${folder}: ${Object.keys(files).join(', ')}\n\nNow:\n  cd ${name}\n  npm install && npm test\n  rivulet plugin dev --ask Ada`);
}

function contentsOf(folder: string): string[] {
  try {
    return readdirSync(folder).slice(0, 1);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return [];
    throw new UsageError(code === 'ENOTDIR' ? `${folder} is a file; take another name.` : message);
  }
}
