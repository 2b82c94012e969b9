import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import type { PluginFault } from './plugin-faults';
import { quoted } from './plugin-faults';
import { filesOf } from './plugin-files';
import { PLUGIN_NAME, readPackageJson } from './package-json';
import type { PluginSource } from './plugin-host';

/** One entry of the folder: a plugin that can be tried, or what keeps it from being one. `mark` changes when any of its files does. */
export type FolderEntry = { name: string; mark: string }
  & ({ source: PluginSource; fault?: undefined } | { fault: PluginFault; source?: undefined });

const ENTRIES_MAX = 200;
const OWN_REMEDY = 'Mend it: a plugin is a folder with a package.json (name, version, main), or one .js, .cjs or .mjs file.';
const SINGLE = /\.(?:js|cjs|mjs)$/;

/**
 * Everything in the folder of plugins but hidden files, each as an entry: nothing is skipped without a word.
 * @param folder '' when there is none
 * @param paths plugins that lie elsewhere, one each
 */
export function scanFolder(folder: string, paths: readonly string[] = []): FolderEntry[] {
  let names: string[];
  try {
    names = folder === '' ? [] : readdirSync(folder).filter((name) => !name.startsWith('.')).sort();
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const remedy = code === 'ENOENT' ? `Run: mkdir -p ${quoted(folder)}` : `Run: chmod o+rX ${quoted(folder)}`;
    return [{ name: '(folder)', mark: message, fault: { code: 'FILE_NOT_READABLE', detail: `The folder of plugins cannot be read: ${message}.`, remedy } }];
  }
  const taken = new Set<string>();
  const tooMany: FolderEntry[] = names.length <= ENTRIES_MAX ? [] : [{
    name: '(folder)', mark: String(names.length),
    fault: {
      code: 'START_FAILED', detail: `${folder} has ${names.length} entries; those after the first ${ENTRIES_MAX} are not looked at.`,
      remedy: `Leave at most ${ENTRIES_MAX} entries in ${quoted(folder)}.`,
    },
  }];
  const places = [...names.slice(0, ENTRIES_MAX).map((name) => path.join(folder, name)), ...paths];
  return tooMany.concat(places.map((place, index) => {
    const name = path.basename(place);
    const entry = entryOf(place, name);
    // What somebody works on is not to be removed.
    if (entry.fault && index >= places.length - paths.length) entry.fault = { ...entry.fault, remedy: OWN_REMEDY };
    if (!taken.has(entry.name)) {
      taken.add(entry.name);
      return entry;
    }
    const detail = `Another plugin beside ${place} is called ${entry.name} too.`;
    return { name, mark: entry.mark, fault: { code: 'START_FAILED', detail, remedy: `Remove or rename one: ${quoted(place)}` } };
  }));
}

function entryOf(place: string, fileName: string): FolderEntry {
  const mark = markOf(place);
  const name = fileName.replace(SINGLE, '');
  try {
    const isFolder = statSync(place).isDirectory();
    if (!isFolder && !SINGLE.test(fileName)) return none(fileName, mark, `${place} is neither a folder nor a .js, .cjs or .mjs file.`, place);
    const source = isFolder ? packageOf(place, name) : { name, folder: place, file: place, isOurs: false, version: '' };
    if (!PLUGIN_NAME.test(source.name)) return none(fileName, mark, `${source.name} cannot be the name of a plugin: 1 to 64 of a-z 0-9 -.`, place);
    return { name: source.name, mark, source };
  } catch (error) {
    return none(name, mark, `${place}: ${(error as Error).message}`, place);
  }
}

const none = (name: string, mark: string, detail: string, place: string): FolderEntry =>
  ({ name, mark, fault: { code: 'START_FAILED', detail, remedy: `Mend it, or remove it: rm -r ${quoted(place)}` } });

function packageOf(folder: string, folderName: string): PluginSource {
  let text: string;
  try {
    text = readFileSync(path.join(folder, 'package.json'), 'utf8');
  } catch (error) {
    // What may not be read is the plugin process's to say, as the user it runs as.
    if ((error as NodeJS.ErrnoException).code === 'EACCES') return { name: folderName, folder, file: path.join(folder, 'index.js'), isOurs: false, version: '' };
    throw error;
  }
  const { name, version, main } = readPackageJson(text);
  const file = path.resolve(folder, main);
  if (!file.startsWith(folder + path.sep)) throw new Error('main of package.json leads out of the folder');
  return { name, folder, file, isOurs: false, version };
}

/** Of names, sizes, times and modes: content is not read, and a chmod counts as a change. */
function markOf(place: string): string {
  const hash = createHash('sha256');
  const note = (one: string): void => {
    try {
      const { size, mtimeMs, ctimeMs, mode } = statSync(one);
      hash.update(`${one}\0${size}\0${mtimeMs}\0${ctimeMs}\0${mode}\0`);
    } catch (error) {
      hash.update(`${one}\0${(error as NodeJS.ErrnoException).code}\0`);
    }
  };
  note(place);
  try {
    for (const file of statSync(place).isDirectory() ? filesOf(place, '') : []) note(file);
  } catch (error) {
    hash.update(String((error as NodeJS.ErrnoException).code));
  }
  return hash.digest('hex');
}
