import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { STANDALONE } from './standalone';

const ROOT = path.resolve(__dirname, '..', '..', '..', '..');
const { version: CLI_VERSION } = require('../../package.json') as { version: string };
const ZOD_VERSION = '3.25.76';
/** What the test of a plugin needs, and an editor to know types. A host needs none of it. */
const DEVELOPED_WITH = { '@rivulet/client': 'libs/client', '@rivulet/plugin-sdk': 'libs/plugin-sdk', [STANDALONE]: 'apps/standalone' };

/** The files of a new plugin by name: as few as there can be, and a test that passes. */
export function templateFiles(name: string): Record<string, string> {
  return {
    'package.json': packageJson(name), 'index.js': INDEX, 'index.test.js': testOf(name), 'README.md': readme(name),
    '.gitignore': 'node_modules/\n*.tgz\n',
  };
}

function packageJson(name: string): string {
  const manifest = {
    name, version: '1.0.0', private: true, description: 'A plugin for Rivulet.', main: 'index.js', files: ['index.js'],
    scripts: { test: 'node --test', dev: 'rivulet plugin dev', pack: 'rivulet plugin pack' },
    devDependencies: { ...ours(), zod: ZOD_VERSION },
  };
  return `${JSON.stringify(manifest, null, 2)}\n`;
}

/** Where this command runs from a checkout, the packages are that checkout's. */
function ours(): Record<string, string> {
  const manifest = path.join(ROOT, 'package.json');
  const isCheckout = existsSync(manifest) && (JSON.parse(readFileSync(manifest, 'utf8')) as { name?: string }).name === 'rivulet';
  return Object.fromEntries(Object.entries(DEVELOPED_WITH).map(([name, folder]) => [name, isCheckout ? `file:${path.join(ROOT, folder)}` : CLI_VERSION]));
}

const INDEX = `const { definePlugin, secret } = require('@rivulet/plugin-sdk');
const { z } = require('zod');
const { name, version } = require('./package.json');

module.exports = definePlugin({
  name, version, api: 1,
  // What a host is configured with. A secret is taken out of logs and shown to nobody.
  config: z.object({ greeting: z.string().default('Hello'), apiKey: secret(z.string()).optional() }),
  hooks: {
    // A request becomes a stream, which readers see grow. Return: its end. Throw: it is tried again, unless isFinal.
    async receive(ctx, request, stream) {
      const who = request.input;
      if (typeof who !== 'string') throw Object.assign(new Error('input must be a name.'), { code: 'INPUT_INVALID', isFinal: true });
      ctx.log('greets', { who });
      for (const word of [ctx.config.greeting, ', ', who, '!']) await stream.write(word);
      return { length: who.length };
    },
  },
});
`;

const testOf = (name: string): string => `const assert = require('node:assert/strict');
const { test } = require('node:test');
const { rivulet } = require('@rivulet/client');
const { startRivulet } = require('${STANDALONE}');

test('it greets whoever asks', async (t) => {
  const running = await startRivulet({ plugins: { paths: [__dirname], config: { '${name}': { greeting: 'Good morning' } } } });
  t.after(() => running.stop());
  const { streamNo } = await running.ask('${name}', 'Ada');
  const client = rivulet({ url: running.url, token: running.apiKey });
  assert.equal(await client.watch(streamNo).text(), 'Good morning, Ada!');
});
`;

const readme = (name: string): string => `# ${name}

A plugin for Rivulet: a request becomes a stream.

\`\`\`sh
npm install && npm test                    # all of Rivulet inside the test, no Kafka needed
rivulet plugin dev                         # try it: loaded again at every change
rivulet plugin pack && rivulet plugin install ${name}-1.0.0.tgz
\`\`\`
`;
