import { setTimeout as elapse } from 'node:timers/promises';
import { StreamError } from '@rivulet/protocol';
import { Command } from 'commander';
import { withExamples } from '../examples';
import { Interrupted } from '../exit-codes';
import { interruption, put, putJson, putLine, tell } from '../output';
import { servicePlace, withJson, withService } from '../settings';
import type { ServiceOptions } from '../settings';
import { matrixText, pluginRows } from './rows';
import type { PluginRow } from './rows';

interface StatusOptions extends ServiceOptions { watch?: boolean }

const WATCH_MS = 1_000;
const CLEAR = '\u001b[H\u001b[2J';

export function statusCommand(): Command {
  const command = new Command('status')
    .summary('every plugin on every host')
    .description('Show every plugin on every host, and of each fault what to do. Exit code 1 when there is any. Needs an API key of role viewer or operator.')
    .argument('[name]', 'only this plugin')
    .option('--watch', 'again whenever something changes, until Ctrl-C');
  withJson(withService(command), 'one JSON object a line for each plugin on each host');
  return withExamples(command, 'rivulet plugin status', 'rivulet plugin status --watch ai-chat', 'rivulet plugin status --json | jq -r "select(.fault) | .fault.remedy"')
    .action(status);
}

async function status(name: string | undefined, options: StatusOptions): Promise<void> {
  const place = servicePlace(options);
  const rowsOf = async (): Promise<PluginRow[]> => (await pluginRows(place)).filter(({ plugin }) => name === undefined || plugin === name);
  if (options.watch) return watch(rowsOf, options.json === true);
  const rows = await rowsOf();
  if (rows.length === 0 && name !== undefined) throw new StreamError('PLUGIN_NOT_FOUND', { plugin: name, detail: `No host has a plugin ${name}.` });
  await show(rows, options.json === true);
  if (rows.some(({ fault }) => fault)) process.exitCode = 1;
}

async function show(rows: readonly PluginRow[], isJson: boolean): Promise<void> {
  if (!isJson && rows.length === 0) return tell('no plugins');
  if (!isJson) return putLine(matrixText(rows));
  for (const row of rows) await putJson(row);
}

/** On a terminal the page is drawn anew, elsewhere what changed follows what was there. */
async function watch(rowsOf: () => Promise<PluginRow[]>, isJson: boolean): Promise<never> {
  const signal = interruption();
  let shown = '';
  for (;;) {
    const rows = await rowsOf();
    // When a host said so changes with every word of it and is no news.
    const text = JSON.stringify(rows.map((row) => ({ ...row, at: 0 })));
    if (text !== shown) {
      if (!isJson && process.stdout.isTTY) await put(CLEAR);
      await show(rows, isJson);
    }
    shown = text;
    await elapse(WATCH_MS, undefined, { signal }).catch(() => { throw new Interrupted('Interrupted.'); });
  }
}
