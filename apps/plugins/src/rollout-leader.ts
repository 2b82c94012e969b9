import { randomUUID } from 'node:crypto';
import type { Logger } from 'pino';
import { advanced, movedTo, takenBack } from './desired';
import type { Desired } from './desired';
import type { PluginReports } from './plugin-reports';
import type { PluginStore } from './plugin-store';
import { judgeTrial } from './rollout';
import type { Trial, TrialLimits, Verdict } from './rollout';

interface LeaderParts { host: string; store: PluginStore; reports: PluginReports; limits: TrialLimits; logger: Logger }

const LOOK_MS = 250;
const TIDY_MS = 10_000;

/**
 * Takes roll-outs further. One host does it, the first by name of those that live; should two think they are the one, the log takes the
 * first step of the two and the other comes to nothing.
 */
export class RolloutLeader {
  private readonly trials = new Map<string, Trial>();
  private readonly timers: NodeJS.Timeout[] = [];
  private readonly writing = new Set<string>();

  constructor(private readonly parts: LeaderParts) {}

  start(): void {
    this.timers.push(setInterval(() => this.look(), LOOK_MS), setInterval(() => void this.tidy(), TIDY_MS));
  }

  close(): void {
    for (const timer of this.timers) clearInterval(timer);
  }

  private get isLeader(): boolean {
    const { host, store, reports } = this.parts;
    return store.isReady && reports.isReady && reports.liveHosts()[0] === host;
  }

  private look(): void {
    if (!this.isLeader) {
      this.trials.clear();
      return;
    }
    const { store, reports, limits } = this.parts;
    const hosts = reports.liveHosts();
    for (const desired of store.allDesired()) {
      const { plugin, rollout, isEnabled } = desired;
      if (!rollout || !isEnabled) {
        this.trials.delete(plugin);
        continue;
      }
      if (this.writing.has(plugin)) continue;
      const seen = { report: reports.reportOf(plugin, rollout.host), heardAt: reports.heardOf(rollout.host), hosts };
      const { trial, verdict } = judgeTrial(desired, seen, this.trials.get(plugin), performance.now(), limits);
      this.trials.set(plugin, trial);
      if (verdict) void this.write(desired, verdict);
    }
  }

  private async write(desired: Desired, verdict: Verdict): Promise<void> {
    const { store, logger } = this.parts;
    const { plugin, rollout } = desired;
    this.writing.add(plugin);
    logger.info({ plugin, version: rollout!.release.version, host: rollout!.host, ...verdict }, 'a roll-out goes on');
    try {
      await store.propose(nextOf(desired, verdict));
    } catch (err) {
      logger.warn({ plugin, err }, 'a step of a roll-out could not be written; it is tried again');
    } finally {
      this.writing.delete(plugin);
    }
  }

  private async tidy(): Promise<void> {
    if (!this.isLeader) return;
    try {
      await this.parts.store.tidy();
    } catch (err) {
      this.parts.logger.warn({ err }, 'what nobody needs any more could not be removed from the log; it is tried again');
    }
  }
}

function nextOf(desired: Desired, verdict: Verdict): Desired {
  const id = randomUUID();
  if (verdict.type === 'advance') return advanced(desired, id);
  if (verdict.type === 'move') return movedTo(desired, verdict.host, id);
  const { code, detail } = verdict;
  return takenBack(desired, { host: desired.rollout!.host, code, detail, at: Date.now() }, id);
}
