import { StreamError } from '@rivulet/protocol';
import { table } from '../output';
import { ask, problemIn } from '../service';
import type { ServicePlace } from '../settings';

export interface PluginFault { code: string; detail: string; remedy: string }
/** One plugin on one host, as GET /v1/admin/plugins shows it. */
export interface PluginRow {
  host: string;
  plugin: string;
  /** '' while it is not known. */
  version: string;
  digest?: string;
  /** SHA-256 of the package, of what is installed; '' of what ships or lies in a folder. */
  packageDigest?: string;
  /** The code of the fault when there is one. */
  state: string;
  fault?: PluginFault | null;
  restarts?: number;
  /** Of an installed plugin: the version that is being tried, or was taken back, and why. */
  note?: string | null;
}

/** @throws StreamError NOT_FOUND when there is no plugin host, and what the service says */
export async function pluginRows(place: ServicePlace): Promise<PluginRow[]> {
  const answer = await ask(place, '/v1/admin/plugins');
  if (answer.status === 404) throw new StreamError('NOT_FOUND', { detail: `No plugin host answers at ${place.url}. Start one (npm start has one), or give its --url.` });
  if (answer.status !== 200) throw problemIn(answer);
  return answer.body as PluginRow[];
}

/** A line for each plugin on each host, then what is wrong with each and what to do. */
export function matrixText(rows: readonly PluginRow[]): string {
  const faults = rows.filter(({ fault }) => fault).map(({ plugin, host, fault }) => faultText(`${plugin} on ${host}`, fault!));
  // The same on every host.
  const notes = [...new Map(rows.filter(({ note }) => note).map(({ plugin, note }) => [plugin, `    ${plugin}: ${note}`])).values()];
  const cells = rows.map(({ plugin, version, host, state, restarts = 0 }) => [plugin, version || '-', host, String(restarts), state]);
  return [table([['PLUGIN', 'VERSION', 'HOST', 'RESTARTS', 'STATE'], ...cells]), ...notes, ...faults].join('\n');
}

export const faultText = (where: string, { code, detail, remedy }: PluginFault): string =>
  `!!  ${where}: ${code}: ${detail.replaceAll('\n', '\n      ')}\n    remedy: ${remedy}`;
