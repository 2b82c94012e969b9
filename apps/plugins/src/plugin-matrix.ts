import type { Desired } from './desired';
import type { PluginFault, PluginState } from './plugin-faults';
import type { ConfigSource } from './plugin-configs';
import type { HostReport, PluginReport } from './plugin-report';

/** One row of GET /v1/admin/plugins. */
export interface PluginRow {
  host: string;
  plugin: string;
  /** '' while it is not known. */
  version: string;
  digest: string;
  /** SHA-256 of the package, of what is installed; '' of what ships or lies in a folder. */
  packageDigest: string;
  /** The code of the fault when there is one. */
  state: PluginState;
  fault: PluginFault | null;
  restarts: number;
  /** Of an installed plugin: the version that is being tried, or was taken back, and why. */
  note: string | null;
  /** Where its configuration comes from: what is stored for all hosts counts, before the environment of this one. */
  config: ConfigSource;
  /** When the host said so, ms since the epoch, by its clock. */
  at: number;
}

export interface ShownRow extends PluginRow {
  /** When the last report of its host came to the host that shows this, ms since the epoch by the clock of that one. */
  heardAt: number;
}

/**
 * Hosts × plugins. What a host says of itself comes first; what only the comparison shows (missing, another version, other bytes under
 * the same version, no word at all) is found here, alike on every host that is asked.
 */
export function matrixOf(
  reports: readonly PluginReport[], hosts: readonly HostReport[], silent: ReadonlySet<string>,
  installed: ReadonlyMap<string, Desired> = new Map(),
): PluginRow[] {
  const plugins = [...new Set(reports.map(({ plugin }) => plugin))].sort();
  const names = [...new Set([...hosts, ...reports].map(({ host }) => host))].sort();
  return plugins.flatMap((plugin) => {
    const all = reports.filter((one) => one.plugin === plugin);
    const desired = installed.get(plugin);
    const note = desired ? noteOf(desired) : null;
    const wanted = wantedOf(all.filter(({ host, state }) => state === 'running' && !silent.has(host)));
    return names.flatMap((host) => {
      const one = all.find((report) => report.host === host);
      const heard = hosts.find((report) => report.host === host);
      if (silent.has(host)) return one ? [{ ...silentRow(one, heard), note }] : [];
      // Missing is only what runs somewhere: a stray file on one host is that host's affair.
      if (!one) return wanted ? [{ ...missingRow(host, plugin, wanted, heard, desired), note }] : [];
      // What is installed is brought to its version by the host itself, which says so when it cannot.
      return [{ ...(one.packageDigest === '' ? compared(one, wanted) : rowOf(one, one.fault)), note }];
    });
  });
}

interface Wanted { version: string; digest: string; host: string; count: number }

/** The newest version that runs anywhere; of it the bytes that most hosts have. */
function wantedOf(running: readonly PluginReport[]): Wanted | null {
  const newest = running.map(({ version }) => version).sort(byVersion).at(-1);
  const counts = new Map<string, Wanted>();
  for (const { version, digest, host } of [...running].sort((a, b) => (a.host < b.host ? -1 : 1))) {
    if (version !== newest) continue;
    const known = counts.get(digest);
    if (known) known.count += 1;
    else counts.set(digest, { version, digest, host, count: 1 });
  }
  return [...counts.values()].reduce<Wanted | null>((best, one) => (best && best.count >= one.count ? best : one), null);
}

function compared(one: PluginReport, wanted: Wanted | null): PluginRow {
  if (one.state !== 'running' || !wanted) return rowOf(one, one.fault);
  if (one.version !== wanted.version) {
    return rowOf(one, {
      code: 'VERSION_DRIFT', detail: `${one.host} has ${one.version}, ${wanted.host} has ${wanted.version}.`,
      remedy: `Copy ${one.plugin} ${wanted.version} from ${wanted.host} to the folder of plugins of ${one.host}.`,
    });
  }
  if (one.digest === wanted.digest) return rowOf(one, null);
  return rowOf(one, {
    code: 'DIGEST_MISMATCH',
    detail: `${one.host} has other bytes under version ${one.version} than ${wanted.host}: ${one.digest.slice(0, 12)}…, not ${wanted.digest.slice(0, 12)}….`,
    remedy: `Copy ${one.plugin} from ${wanted.host} to ${one.host}, or give what was changed a version of its own.`,
  });
}

function rowOf(one: PluginReport, fault: PluginFault | null): PluginRow {
  const { host, plugin, version, digest, packageDigest, state, restarts, config, at } = one;
  return { host, plugin, version, digest, packageDigest, state: fault?.code ?? state, fault, restarts, note: null, config, at };
}

function noteOf({ rollout, refused }: Desired): string | null {
  if (rollout) return `${rollout.release.version} is tried on ${rollout.host} first.`;
  return refused && `${refused.release.version} was taken back${refused.host === '' ? '' : `, it failed on ${refused.host}`}: ${refused.code}: ${refused.detail}`;
}

const silentRow = (one: PluginReport, heard: HostReport | undefined): PluginRow => rowOf(one, {
  code: 'HOST_SILENT', detail: `${one.host} has said nothing since ${new Date(heard?.at ?? one.at).toISOString()}.`,
  remedy: `See whether the process on ${one.host} runs and reaches Kafka; when it is gone for good, do nothing: its rows go after ten minutes.`,
});

const missingRow = (
  host: string, plugin: string, wanted: Wanted, heard: HostReport | undefined, desired: Desired | undefined,
): PluginRow => ({
  host, plugin, version: '', digest: '', packageDigest: '', state: 'MISSING_ON_HOST', restarts: 0, note: null, config: 'none', at: heard?.at ?? 0,
  fault: {
    code: 'MISSING_ON_HOST', detail: `${wanted.host} runs ${plugin} ${wanted.version}; ${host} does not have it.`,
    remedy: desired?.current ? `It is installed: ${host} fetches it by itself within seconds. If it does not, see whether it is of this version of Rivulet, and its log.`
      : `Copy ${plugin} from ${wanted.host} to the folder of plugins of ${host}, or name it in RIVULET_PLUGINS_SHIPPED there.`,
  },
});

function byVersion(a: string, b: string): number {
  const [partsA, partsB] = [a, b].map((one) => one.split('-', 1)[0]!.split('.').map(Number)) as [number[], number[]];
  for (let index = 0; index < 3; index += 1) if (partsA[index] !== partsB[index]) return partsA[index]! - partsB[index]!;
  // A pre-release comes before its release.
  if (a.includes('-') !== b.includes('-')) return a.includes('-') ? -1 : 1;
  return a < b ? -1 : a > b ? 1 : 0;
}
