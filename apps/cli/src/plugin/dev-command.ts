import path from 'node:path';
import { StreamError } from '@rivulet/protocol';
import { Command } from 'commander';
import { withExamples } from '../examples';
import { Interrupted, UsageError } from '../exit-codes';
import { whole } from '../numbers';
import { interruption, put, putJson, tell } from '../output';
import { clientOf } from '../service';
import { withJson } from '../settings';
import { contentOf, conclude } from '../tail-command';
import { configurationIn } from './configuration';
import { readManifest } from './plugin-folder';
import { faultText } from './rows';
import { startStandalone } from './standalone';
import type { PluginStatus, Standalone } from './standalone';

interface DevOptions { ask?: string; config?: string; port?: number; json?: boolean }

export function devCommand(): Command {
  const command = new Command('dev')
    .summary('try a plugin while you write it')
    .description('Run a plugin with all of Rivulet in this process, without Kafka, and load it again whenever it changes. What it prints and what is wrong with it is shown as it happens.')
    .argument('[folder]', 'of the plugin', '.')
    .option('--ask <text>', 'send one request, show the answer as it grows, and end: exit code 1 when it did not end well')
    .option('--config <file>', 'configuration of the plugin, a JSON file')
    .option('--port <port>', 'of the page and the API (default: a free one)', whole(1, 65_535));
  return withExamples(withJson(command, 'states, lines and, with --ask, events, as NDJSON on stdout'),
    'rivulet plugin dev', 'rivulet plugin dev plugins/search --config search.json', 'rivulet plugin dev --ask "What is a stream?"', 'rivulet plugin dev --ask \'{"count": 3}\'').action(dev);
}

async function dev(given: string, options: DevOptions): Promise<void> {
  const folder = path.resolve(given);
  const { name } = readManifest(folder);
  const config = options.config === undefined ? {} : { config: { [name]: configurationIn(options.config) } };
  const isJson = options.json === true;
  const signal = interruption();
  let state: PluginStatus | null = null;
  const running = await startStandalone(folder, {
    port: options.port ?? 0, log: { write: (line) => showLine(line, isJson, state?.state === 'running') },
    plugins: {
      paths: [folder], ...config,
      onChange(plugin) {
        state = plugin;
        showState(plugin, isJson, options.config);
      },
    },
  });
  try {
    if (options.ask === undefined) {
      await introduce(running, name, isJson);
      await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
    } else if (stateOf(state).fault === null) await askOnce(running, name, inputOf(options.ask), isJson, signal);
    // What is wrong has been said.
    else process.exitCode = 1;
  } finally {
    await running.stop();
  }
  if (signal.aborted) throw new Interrupted('Interrupted.');
}

/** It was told of the plugin before it had started. */
const stateOf = (state: PluginStatus | null): PluginStatus => state!;

async function introduce({ url, apiKey }: Standalone, name: string, isJson: boolean): Promise<void> {
  if (isJson) return putJson({ type: 'started', url, apiKey });
  const auth = `-H 'Authorization: Bearer ${apiKey}'`;
  const asking = `curl -s ${auth} -H 'Content-Type: application/json' -d '{"input":"Ada"}' ${url}/v1/plugins/${name}/requests`;
  tell(`
page   ${url}/#key=${apiKey}
ask    curl -sN ${auth} "${url}/v1/watch/$(${asking} | cut -d'"' -f4)/content?live"

The key is of this process and gone with it. Loaded again at every change; Ctrl-C ends it.
`);
}

async function askOnce(running: Standalone, name: string, input: unknown, isJson: boolean, signal: AbortSignal): Promise<void> {
  const { streamNo } = await running.ask(name, input);
  let isLineOpen = false;
  for await (const event of clientOf({ url: running.url, token: running.apiKey }).watch(streamNo, { signal })) {
    if (isJson) await putJson(event);
    else if (event.type === 'fragment') {
      const content = contentOf(event);
      isLineOpen = content.at(-1) !== '\n';
      await put(content);
    } else if (event.type === 'rewind') tell('\nrewind: it starts over; what came before is void');
    if (event.type !== 'final') continue;
    if (isLineOpen && process.stdout.isTTY) await put('\n');
    return conclude(event);
  }
  throw new StreamError('STREAM_FINAL', { detail: 'The answer has no end.' });
}

function showState(plugin: PluginStatus, isJson: boolean, configFile: string | undefined): void {
  const { plugin: name, version, state, fault } = plugin;
  if (isJson) return void putJson({ type: 'plugin', ...plugin });
  if (fault === null) return tell(state === 'running' ? `ok  ${name} ${version} runs` : `..  ${name} is loaded`);
  const remedy = fault.code !== 'CONFIG_INVALID' ? fault.remedy
    : configFile === undefined ? 'Give its configuration: --config FILE, a JSON file.' : `Mend it in ${configFile}, and start this again.`;
  tell(faultText(name, { ...fault, remedy }));
}

interface Logged { plugin?: string; line?: string; why?: string }

/** Of the log of the host: what the plugin printed, and why its process ended. Of one that did not run yet the fault says it. */
function showLine(text: string, isJson: boolean, isRunning: boolean): void {
  const { plugin, line, why } = JSON.parse(text) as Logged;
  if (plugin === undefined || (line === undefined && (why === undefined || !isRunning))) return;
  if (isJson) return void putJson({ type: 'line', plugin, ...(line === undefined ? { ended: why } : { line }) });
  tell(line === undefined ? `!!  its process ${why}` : `    ${plugin} | ${line}`);
}

/** Text as it is; what looks like an object, a list or a number, as JSON. */
function inputOf(text: string): unknown {
  if (!/^\s*[{[]/.test(text)) return text;
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new UsageError(`--ask begins like JSON, and is none: ${(error as Error).message}`);
  }
}
