import type { PluginsConfig } from './config';
import { PluginLog } from './plugin-log';
import type { ChildFault, Loaded } from './plugin-messages';
import type { PluginSource, Program } from './plugin-host';
import { PluginProcess } from './plugin-process';

export type ProbeAnswer = { loaded: Loaded; fault?: undefined } | { fault: Pick<ChildFault, 'code' | 'detail' | 'field'>; loaded?: undefined };

const LINES_MAX = 8;

/**
 * Loads a plugin once, in a process and with the rights it would run with, and ends it: what it says of itself, or why it cannot be loaded.
 * @param settings its configuration is checked too; null: only its definition
 */
export function probe(
  source: Omit<PluginSource, 'version'>, settings: { value: unknown; hidden: readonly string[] } | null, config: PluginsConfig, program: Program,
): Promise<ProbeAnswer> {
  const log = new PluginLog(LINES_MAX);
  log.hide(settings?.hidden ?? []);
  return new Promise((resolve) => {
    let told: ChildFault | null = null;
    let loaded: Loaded | null = null;
    const started: PluginProcess = new PluginProcess({
      ...program, file: source.file, folder: source.folder, isOurs: source.isOurs, settings: settings?.value, isTrial: settings === null,
      drop: process.getuid?.() === 0 ? { uid: config.childUid, gid: config.childGid } : null,
      memoryMb: config.memoryMb, startMsMax: config.startMsMax, pingMs: config.pingMs, hungMsMax: config.hungMsMax,
    }, {
      onLoaded: (message) => {
        loaded = message;
        started.kill('was tried');
      },
      onFault: (fault) => { told = fault; },
      onLine: (line) => { log.add(line); },
      onExit: (why) => {
        if (loaded) return resolve({ loaded });
        const lines = log.newest(LINES_MAX).map(({ line }) => `\n${line}`).join('');
        const { code = 'START_FAILED', detail = `It ${why}.`, field } = told ?? {};
        const shown = log.redact(detail) + (code === 'START_FAILED' && lines !== '' ? ` Last of its log:${lines}` : '');
        resolve({ fault: { code, detail: shown, ...(field === undefined ? {} : { field }) } });
      },
    });
  });
}
