import { gzipSync } from 'node:zlib';
import { pack } from 'tar-stream';

export interface PackedEntry {
  name: string;
  type?: 'file' | 'directory' | 'symlink' | 'link' | 'character-device' | 'fifo';
  mode?: number;
  linkname?: string;
  content?: string;
}

/** A .tgz of these entries. */
export async function packed(entries: readonly PackedEntry[]): Promise<Buffer> {
  const tar = pack();
  for (const { content = '', ...header } of entries) tar.entry({ mode: 0o644, mtime: new Date(0), ...header }, content);
  tar.finalize();
  const parts: Buffer[] = [];
  for await (const part of tar) parts.push(part as Buffer);
  return gzipSync(Buffer.concat(parts));
}

/**
 * A plugin as `npm pack` packs it.
 * @param body of definePlugin, after name, version and api, as JavaScript
 */
export const packedPlugin = (name: string, version: string, body: string, { top = '', extra = [] as readonly PackedEntry[] } = {}): Promise<Buffer> => packed([
  { name: 'package/package.json', content: JSON.stringify({ name, version, main: 'index.js', scripts: { install: 'exit 1' } }) },
  {
    name: 'package/index.js', content: `
const { definePlugin, secret } = require('@rivulet/plugin-sdk');
const { z } = require('zod');
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
${top}
module.exports = definePlugin({ name: '${name}', version: '${version}', api: 1, config: z.object({}), ${body} });
`,
  },
  ...extra,
]);
