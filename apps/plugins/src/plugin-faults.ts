/** What is wrong with a plugin on a host. docs/PLUGINS.md has a paragraph for each. */
export const FAULTS = [
  'FILE_NOT_READABLE', 'MISSING_ON_HOST', 'VERSION_DRIFT', 'DIGEST_MISMATCH', 'API_INCOMPATIBLE', 'CONFIG_INVALID', 'START_FAILED', 'CRASH_LOOP',
  'HOST_SILENT',
] as const;
export type FaultCode = (typeof FAULTS)[number];
export type PluginState = 'fetching' | 'verifying' | 'starting' | 'running' | 'disabled' | FaultCode;

export interface PluginFault {
  code: FaultCode;
  /** What is the case, secrets taken out. */
  detail: string;
  /** The one thing to do. */
  remedy: string;
  /** CONFIG_INVALID: which field. */
  field?: string | undefined;
  /** CRASH_LOOP: when it is tried again, ms since the epoch. */
  nextAt?: number | undefined;
}

interface Facts {
  code: FaultCode;
  name?: string;
  field?: string | undefined;
  place?: { path: string; mode: string; owner: string } | undefined;
  isInstalled?: boolean;
}

/** The remedy of a fault that a plugin's process tells; the others say theirs where they are found. */
export function remedyOf({ code, name = '', field, place, isInstalled = false }: Facts): string {
  if (code === 'FILE_NOT_READABLE' && place) return `Run: chmod o+rX ${quoted(place.path)}`;
  if (code === 'API_INCOMPATIBLE') return 'Install a version of the plugin for this host\'s api, or update the host.';
  if (code === 'CONFIG_INVALID') return `Mend ${field ? `the field ${field}` : 'the entry'} of ${name} with PUT /v1/admin/plugins/${name}/config, or in RIVULET_PLUGINS_CONFIG and restart the host.`;
  if (isInstalled) return 'Mend it, give it a new version and install that.';
  return 'Mend what the detail says and save the file: it is loaded again at once.';
}

export const crashRemedy = (nextAt: number, isInstalled: boolean): { remedy: string } => ({
  remedy: `Mend what its log says and ${isInstalled ? 'install a new version' : 'save the file'}. It is tried again at ${new Date(nextAt).toISOString()}.`,
});

/** For a shell, whatever is in the path. */
export const quoted = (text: string): string => (/^[\w./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);
