import { Command } from 'commander';
import { withExamples } from '../examples';
import { putJson, putLine, table, tell } from '../output';
import { bytesText } from '../progress-bar';
import { call } from '../service';
import { servicePlace, withJson, withService } from '../settings';
import type { ServiceOptions } from '../settings';
import { configurationIn } from './configuration';
import type { InstalledRow } from './rollout';

interface ConfigOptions extends ServiceOptions { set?: string }
interface ConfigView { name: string; source: string; settings: unknown; secrets: string[]; by: string | null; at: number | null }

/** The host loads the plugin once with what it is given. */
const CONFIGURE_MS_MAX = 60_000;
const pathOf = (name: string): string => `/v1/admin/plugins/${encodeURIComponent(name)}`;

/** One call about one plugin; what it did is said in a line. */
function changing(
  name: string, summary: string, about: string,
  change: (plugin: string, options: ServiceOptions) => Promise<{ done: string; answer: unknown }>,
): Command {
  const command = new Command(name).summary(summary).description(`${about} Needs an API key of role operator.`).argument('<name>', 'the plugin');
  return withExamples(withJson(withService(command)), `rivulet plugin ${name} search`).action(async (plugin: string, options: ServiceOptions) => {
    const { done, answer } = await change(plugin, options);
    if (options.json) await putJson(answer);
    else tell(done);
  });
}

const switching = (name: 'enable' | 'disable', summary: string, about: string): Command => changing(name, summary, about, async (plugin, options) => {
  const answer = await call(servicePlace(options), pathOf(plugin), { method: 'PUT', body: { isEnabled: name === 'enable' } });
  return { answer, done: `${plugin} is ${name}d on every host` };
});

export const enableCommand = (): Command => switching('enable', 'start a plugin that was disabled', 'Start a plugin that was disabled, on every host.');
export const disableCommand = (): Command => switching('disable', 'stop a plugin everywhere', 'Stop a plugin on every host until it is enabled again. Its requests wait.');

export const uninstallCommand = (): Command => changing('uninstall', 'remove a plugin from every host', 'Remove an installed plugin from every host, with its stored configuration.',
  async (plugin, options) => {
    await call(servicePlace(options), pathOf(plugin), { method: 'DELETE' });
    return { answer: { name: plugin, isInstalled: false }, done: `${plugin} is uninstalled` };
  });

export const rollbackCommand = (): Command => changing('rollback', 'go back to the version before', 'Take back the version that is being tried, or else go back to the one before, on all hosts at once.',
  async (plugin, options) => {
    const answer = await call<InstalledRow>(servicePlace(options), `${pathOf(plugin)}/rollback`, { method: 'POST' });
    return { answer, done: `${plugin} is back at ${answer.version}` };
  });

export function packagesCommand(): Command {
  const command = new Command('packages')
    .summary('what is installed')
    .description('Show what is installed: version, the one before, what is being tried and what was taken back. Needs an API key of role viewer or operator.');
  return withExamples(withJson(withService(command), 'one JSON object a line'), 'rivulet plugin packages').action(packages);
}

async function packages(options: ServiceOptions): Promise<void> {
  const rows = await call<InstalledRow[]>(servicePlace(options), '/v1/admin/plugins/packages');
  if (options.json) {
    for (const row of rows) await putJson(row);
    return;
  }
  if (rows.length === 0) return tell('nothing is installed');
  const cells = rows.map(({ name, version, previous, bytes, by, at, isEnabled, rollout, refused }) => [
    name, version, previous?.version ?? '-', bytesText(bytes), by, new Date(at).toISOString(),
    [isEnabled ? 'enabled' : 'disabled', ...(rollout ? [`${rollout.version} is tried on ${rollout.host}`] : []), ...(refused ? [`${refused.version} was taken back: ${refused.code}`] : [])].join(', '),
  ]);
  await putLine(table([['PLUGIN', 'VERSION', 'BEFORE', 'BYTES', 'BY', 'INSTALLED', 'STATE'], ...cells]));
}

export function configCommand(): Command {
  const command = new Command('config')
    .summary('show or set the configuration of a plugin')
    .description('Show the configuration of a plugin, its secrets masked, or with --set store one for all hosts: the plugin checks it first. A secret given as [secret] stays as it is. Needs an API key of role operator; to show, viewer.')
    .argument('<name>', 'the plugin')
    .option('--set <file>', 'store the configuration in this JSON file; - is stdin');
  return withExamples(withJson(withService(command), 'also where it comes from, who set it and when'),
    'rivulet plugin config search', 'rivulet plugin config search --set search.json', 'rivulet plugin config search > search.json').action(config);
}

async function config(name: string, options: ConfigOptions): Promise<void> {
  const place = servicePlace(options);
  const at = `${pathOf(name)}/config`;
  const view = options.set === undefined ? await call<ConfigView>(place, at)
    : await call<ConfigView>(place, at, { method: 'PUT', body: configurationIn(options.set), msMax: CONFIGURE_MS_MAX });
  if (options.json) return putJson(view);
  const { source, settings, by, at: when } = view;
  tell(source === 'stored' ? `stored for all hosts by ${by} at ${new Date(when ?? 0).toISOString()}` : source === 'none' ? 'none is given' : 'from the environment of the host that answered');
  await putLine(JSON.stringify(settings, null, 2));
}
