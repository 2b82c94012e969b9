import type { Desired } from './desired';
import { sha256Of } from './package-file';
import type { PluginReport } from './plugin-report';

/** What the host that leads has seen of a version on trial. Times are monotonic ms of that host: another that takes over looks anew. */
export interface Trial { of: string; host: string; since: number; runningSince: number | null }
export type Verdict = { type: 'advance' } | { type: 'move'; host: string } | { type: 'takeBack'; code: string; detail: string };
/** report: of the host that tries it; heardAt: when that host was heard last; hosts: that live. */
export interface Seen { report: PluginReport | undefined; heardAt: number; hosts: readonly string[] }
interface Judged { trial: Trial; verdict: Verdict | null }
export interface TrialLimits { rolloutMs: number; trialMsMax: number }

/** Faults that another try will not mend. The others are the host's own affair, and the time of the trial runs. */
const FAILED: readonly string[] = ['START_FAILED', 'CRASH_LOOP', 'CONFIG_INVALID', 'API_INCOMPATIBLE'];

/**
 * Whether a version on trial on one host has proved itself: it runs there, and has not died, for rolloutMs on end. A host that is silent is
 * replaced; a version that fails, or does not come to run in trialMsMax, is taken back.
 */
export function judgeTrial(
  { rollout, of }: Desired, seen: Seen, before: Trial | undefined, now: number, limits: TrialLimits,
): Judged {
  const { release, host } = rollout!;
  const { report, hosts, heardAt } = seen;
  const known = before?.of === of && before.host === host ? before : { of, host, since: now, runningSince: null };
  const say = (verdict: Verdict | null, runningSince: number | null = null): Judged => ({ trial: { ...known, runningSince }, verdict });
  if (!hosts.includes(host)) return say({ type: 'move', host: firstHostOf(hosts, release.version, release.digest) });
  const isOfIt = report?.packageDigest === release.digest;
  if (isOfIt && report.fault && FAILED.includes(report.state)) return say({ type: 'takeBack', code: report.state, detail: report.fault.detail });
  if (isOfIt && report.restarts > 0) return say({ type: 'takeBack', code: 'CRASHED', detail: `Its process ended by itself on ${host}. The log of the plugin there may say why.` });
  if (isOfIt && report.state === 'running') {
    const since = known.runningSince ?? now;
    // By the last word of the host, not by our clock: what it has not told yet may be the end of the plugin.
    return say(heardAt - since >= limits.rolloutMs ? { type: 'advance' } : null, since);
  }
  if (now - known.since < limits.trialMsMax) return say(null);
  return say({ type: 'takeBack', code: report?.fault?.code ?? 'TIMEOUT', detail: report?.fault?.detail ?? `It did not run on ${host} within ${limits.trialMsMax} ms.` });
}

/** Where a version is tried first: the same for whoever asks with the same hosts, and another for the next version. */
export function firstHostOf(hosts: readonly string[], version: string, digest: string): string {
  const weightOf = (host: string): string => sha256Of(Buffer.from(`${host}/${version}/${digest}`));
  return [...hosts].sort((a, b) => (weightOf(a) < weightOf(b) ? -1 : 1))[0]!;
}
