import type { Check } from './check';
import type { PluginRow } from './plugin/rows';
import { ask } from './service';
import type { ServicePlace } from './settings';

/** The health matrix of the plugin hosts: each of its faults brings its own remedy. 404: there is no plugin host, which is no fault. */
export async function checkPlugins(check: Check, place: ServicePlace): Promise<void> {
  const answer = await ask(place, '/v1/admin/plugins');
  if (answer.status === 404) return check.saw('no plugin host');
  if (answer.status !== 200) return check.skip(`the plugins are not shown to this credential (HTTP ${answer.status})`);
  const rows = rowsOf(answer.body);
  check.saw(`${new Set(rows.map(({ plugin }) => plugin)).size} plugin(s) on ${new Set(rows.map(({ host }) => host)).size} host(s)`);
  for (const { host, plugin, version, state, fault } of rows) {
    if (fault) check.found(`PLUGIN_${fault.code}`, `${plugin} ${version} on ${host} is ${state}: ${fault.detail}`, fault.remedy);
  }
}

function rowsOf(body: unknown): PluginRow[] {
  const { rows, plugins } = (body ?? {}) as { rows?: PluginRow[]; plugins?: PluginRow[] };
  return Array.isArray(body) ? (body as PluginRow[]) : rows ?? plugins ?? [];
}
