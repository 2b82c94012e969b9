import { randomUUID } from 'node:crypto';
import { StreamError } from '@rivulet/protocol';
import { changed, removed, rolledBack } from './desired';
import type { Desired, Refusal, Release } from './desired';
import type { PluginSet } from './plugin-set';
import type { PluginReports } from './plugin-reports';
import type { PluginStore } from './plugin-store';

interface ChangesParts { store: PluginStore; plugins: PluginSet; reports: PluginReports }
/** One row of GET /v1/admin/plugins/packages. */
export interface InstalledRow {
  name: string;
  /** Of what runs, or is about to run, everywhere. */
  version: string; digest: string; bytes: number; by: string; at: number;
  isEnabled: boolean;
  /** What a roll-back returns to. */
  previous: Release | null;
  /** A newer version, and the host that tries it. */
  rollout: (Release & { host: string }) | null;
  /** The newest version that was taken back, where, and why. */
  refused: (Release & Pick<Refusal, 'host' | 'code' | 'detail'> & { refusedAt: number }) | null;
}

/** Wishes of operators about what is installed. Each is one record; the log says which of two at once counts. */
export class PluginChanges {
  constructor(private readonly parts: ChangesParts) {}

  list(): InstalledRow[] {
    return this.parts.store.allDesired().flatMap((one) => {
      const row = rowOf(one);
      return row ? [row] : [];
    }).sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /**
   * For every plugin by name, whether it ships, is installed, or lies in folders.
   * @throws StreamError PLUGIN_NOT_FOUND, PLUGIN_CONFLICT, LOG_UNAVAILABLE
   */
  async setEnabled(plugin: string, isEnabled: boolean, by: string): Promise<{ name: string; isEnabled: boolean }> {
    const { store, plugins, reports } = this.parts;
    const before = store.desired(plugin);
    if (!plugins.knows(plugin) && !before?.current && !reports.rows().some((row) => row.plugin === plugin)) throw new StreamError('PLUGIN_NOT_FOUND', { plugin });
    if ((before?.isEnabled ?? true) !== isEnabled) await this.propose(changed(plugin, before, { isEnabled }, authorOf(by)));
    return { name: plugin, isEnabled };
  }

  /** Its configuration goes with it. @throws StreamError PLUGIN_NOT_FOUND, PLUGIN_CONFLICT, LOG_UNAVAILABLE */
  async uninstall(plugin: string, by: string): Promise<void> {
    await this.propose(removed(this.installed(plugin), authorOf(by)));
    await this.parts.store.removeConfig(plugin);
  }

  /** @throws StreamError PLUGIN_NOT_FOUND, PLUGIN_CONFLICT, LOG_UNAVAILABLE */
  async rollBack(plugin: string, by: string): Promise<InstalledRow> {
    const next = rolledBack(this.installed(plugin), authorOf(by));
    if (!next) throw new StreamError('PLUGIN_CONFLICT', { plugin, detail: `There is no version of ${plugin} before this one. Install the one you want.` });
    await this.propose(next);
    return rowOf(next)!;
  }

  private installed(plugin: string): Desired {
    const desired = this.parts.store.desired(plugin);
    if (!desired?.current) {
      const isLocal = this.parts.plugins.knows(plugin);
      throw new StreamError('PLUGIN_NOT_FOUND', { plugin, detail: isLocal ? `${plugin} is not installed: it ships, or lies in the folder of plugins.` : `${plugin} is not installed.` });
    }
    return desired;
  }

  private async propose(next: Desired): Promise<void> {
    if (await this.parts.store.propose(next)) return;
    throw new StreamError('PLUGIN_CONFLICT', { plugin: next.plugin, detail: `Somebody else changed ${next.plugin} at the same time. Look at how it is now, and ask again.` });
  }
}

const authorOf = (by: string): { id: string; by: string; at: number } => ({ id: randomUUID(), by, at: Date.now() });

function rowOf({ plugin, current, previous, rollout, refused, isEnabled }: Desired): InstalledRow | null {
  if (!current) return null;
  return {
    name: plugin, ...current, isEnabled, previous, rollout: rollout && { ...rollout.release, host: rollout.host },
    refused: refused && { ...refused.release, host: refused.host, code: refused.code, detail: refused.detail, refusedAt: refused.at },
  };
}
