import type { PluginFault, PluginRow } from './rows';

interface Release { version: string; digest: string }
/** What is installed, as GET /v1/admin/plugins/packages shows it. */
export interface InstalledRow extends Release {
  name: string;
  bytes: number;
  by: string;
  at: number;
  isEnabled: boolean;
  previous: Release | null;
  /** A newer version, and the host that tries it. */
  rollout: (Release & { host: string }) | null;
  /** The newest version that was taken back, where, and why. */
  refused: (Release & { host: string; code: string; detail: string }) | null;
}

export type Outcome = { state: 'waiting' } | { state: 'running'; hosts: string[] } | { state: 'failed'; faults: { where: string; fault: PluginFault }[] };

const UNDER_WAY = ['fetching', 'verifying', 'starting'];
const MEND = 'Mend it, give it a new version and install that.';

/**
 * How the installation of a package stands: it runs on every host that is there, or it does not and why, or that is not known yet.
 * A silent host is not waited for: it fetches what is installed when it is back.
 */
export function outcomeOf(digest: string, installed: InstalledRow | undefined, rows: readonly PluginRow[]): Outcome {
  const refused = installed?.refused;
  if (refused?.digest === digest && installed?.rollout?.digest !== digest && installed?.digest !== digest) {
    const { host, code, detail, version } = refused;
    return { state: 'failed', faults: [{ where: `${version} was taken back${host === '' ? '' : `, it failed on ${host}`}`, fault: { code, detail, remedy: `${MEND} The hosts go on with ${installed!.version}.` } }] };
  }
  if (installed?.digest !== digest) return { state: 'waiting' };
  const live = rows.filter(({ fault }) => fault?.code !== 'HOST_SILENT');
  // A host that has not come that far may still report the version before, or nothing.
  if (live.length === 0 || live.some((row) => row.packageDigest !== digest || UNDER_WAY.includes(row.state))) return { state: 'waiting' };
  const faults = live.flatMap(({ plugin, host, fault }) => (fault ? [{ where: `${plugin} on ${host}`, fault }] : []));
  return faults.length > 0 ? { state: 'failed', faults } : { state: 'running', hosts: live.map(({ host }) => host) };
}

/** What a person who waits sees of each host. */
export const stageOf = (digest: string, { state, packageDigest, version }: PluginRow): string =>
  (packageDigest === digest || UNDER_WAY.includes(state) || packageDigest === '' ? `${state} ${version}`.trim() : `${state} ${version}, the version before`);
