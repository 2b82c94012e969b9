import { readFileSync } from 'node:fs';
import path from 'node:path';

/** Where a plugin that comes with Rivulet is; null when none is called so. */
export function shippedManifest(name: string): { folder: string; main: string; version: string } | null {
  let manifest: string;
  try {
    manifest = require.resolve(`@rivulet/plugin-${name}/package.json`);
  } catch {
    return null;
  }
  const { main, version } = JSON.parse(readFileSync(manifest, 'utf8')) as { main: string; version: string };
  return { folder: path.dirname(manifest), main, version };
}
