import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

/** A folder of plugins that any user may read. */
export class PluginFolder {
  readonly path = mkdtempSync(path.join(tmpdir(), 'rivulet-plugins-'));

  constructor() {
    chmodSync(this.path, 0o755);
  }

  /** @param body of definePlugin, after name, version and api, as JavaScript */
  write(name: string, body: string, version = '1.0.0', top = ''): string {
    const folder = path.join(this.path, name);
    mkdirSync(folder, { recursive: true });
    writeFileSync(path.join(folder, 'package.json'), JSON.stringify({ name, version, main: 'index.js' }));
    writeFileSync(path.join(folder, 'index.js'), `
const { definePlugin, secret } = require('@rivulet/plugin-sdk');
const { z } = require('zod');
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
${top}
module.exports = definePlugin({ name: '${name}', version: '${version}', api: 1, config: z.object({}), ${body} });
`);
    return folder;
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}
