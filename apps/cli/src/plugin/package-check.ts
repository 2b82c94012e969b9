import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { StreamError } from '@rivulet/protocol';
import type { PackedFile } from './package-files';
import type { Manifest } from './plugin-folder';
import { startStandalone } from './standalone';
import type { PluginStatus } from './standalone';

/**
 * Loads what was packed, and nothing else of its folder, on a host: what is missing there shows here.
 * @throws StreamError PLUGIN_FAILED with what the host says of it
 */
export async function checkPackage(folder: string, { name, version }: Manifest, files: readonly PackedFile[]): Promise<void> {
  const place = mkdtempSync(path.join(tmpdir(), 'rivulet-plugin-'));
  try {
    unpack(place, files);
    const { fault, version: own } = await statusIn(folder, place);
    // It loads, which is all that can be known here: what it is configured with, its hosts know.
    if (fault && fault.code !== 'CONFIG_INVALID') {
      throw new StreamError('PLUGIN_FAILED', { plugin: name, detail: `The package does not load. ${fault.code}: ${fault.detail.replaceAll(place, '…')}` });
    }
    if (own !== version) {
      throw new StreamError('PLUGIN_FAILED', { plugin: name, detail: `package.json says version ${version}, definePlugin says ${own}. Give both the same.` });
    }
  } finally {
    rmSync(place, { recursive: true, force: true });
  }
}

/** Readable by whoever plugins run as. */
function unpack(place: string, files: readonly PackedFile[]): void {
  chmodSync(place, 0o755);
  for (const { path: name, content, isExecutable } of files) {
    const file = path.join(place, ...name.split('/'));
    mkdirSync(path.dirname(file), { recursive: true, mode: 0o755 });
    writeFileSync(file, content);
    chmodSync(file, isExecutable ? 0o755 : 0o644);
  }
}

async function statusIn(folder: string, place: string): Promise<PluginStatus> {
  let last: PluginStatus | null = null;
  const running = await startStandalone(folder, { plugins: { paths: [place], onChange: (plugin) => { last = plugin; } } });
  await running.stop();
  return last!;
}
