// `npm run proto`: libs/protocol/proto/{log,watch}.proto → libs/protocol/src/generated/{log,watch}.ts, static protobufjs modules.
// With a folder as argument it writes there instead: a test does that and compares, so that schema and code cannot drift apart.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const { pbjs } = createRequire(import.meta.url)('protobufjs-cli');

const folder = process.argv[2] ?? join(root, 'libs/protocol/src/generated');

// Only encode and decode: record-codec.ts and watch-codec.ts convert and check by themselves. Its own root name keeps each apart from
// other users of protobufjs in the process. Numbers, not Long: what is beyond 2^53 is refused by the codec.
const options = [
  '--target', 'static-module', '--wrap', 'es6', '--dependency', 'protobufjs/minimal',
  '--force-number', '--no-create', '--no-verify', '--no-convert', '--no-delimited', '--no-typeurl', '--no-service', '--no-comments',
];

async function generate(name) {
  const schema = join(root, `libs/protocol/proto/${name}.proto`);
  const target = join(folder, `${name}.ts`);
  const code = await new Promise((resolve, reject) => {
    pbjs.main([...options, '--root', `rivulet-${name}`, schema], (error, output) => (error ? reject(error) : resolve(output)));
  });
  const header = `// @ts-nocheck\n// Generated from proto/${name}.proto by \`npm run proto\`. Do not edit.\n`;
  writeFileSync(target, header + code.replace(/[ \t]+$/gm, ''));
  console.log(`${target}: ${readFileSync(target).length} bytes`);
}

mkdirSync(folder, { recursive: true });
for (const name of ['log', 'watch']) await generate(name);
