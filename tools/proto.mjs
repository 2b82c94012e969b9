// `npm run proto`: libs/protocol/proto/log.proto → libs/protocol/src/generated/log.ts, a static protobufjs module.
// With a folder as argument it writes there instead: a test does that and compares, so that schema and code cannot drift apart.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const { pbjs } = createRequire(import.meta.url)('protobufjs-cli');

const schema = join(root, 'libs/protocol/proto/log.proto');
const folder = process.argv[2] ?? join(root, 'libs/protocol/src/generated');
const target = join(folder, 'log.ts');

// Only encode and decode: record-codec.ts converts and checks by itself. Its own root name keeps it apart from
// other users of protobufjs in the process. Numbers, not Long: what is beyond 2^53 is refused by the codec.
const options = [
  '--target', 'static-module', '--wrap', 'es6', '--dependency', 'protobufjs/minimal', '--root', 'rivulet-log',
  '--force-number', '--no-create', '--no-verify', '--no-convert', '--no-delimited', '--no-typeurl', '--no-service', '--no-comments',
];

const code = await new Promise((resolve, reject) => {
  pbjs.main([...options, schema], (error, output) => (error ? reject(error) : resolve(output)));
});
mkdirSync(folder, { recursive: true });
const header = '// @ts-nocheck\n// Generated from proto/log.proto by `npm run proto`. Do not edit.\n';
writeFileSync(target, header + code.replace(/[ \t]+$/gm, ''));
console.log(`${target}: ${readFileSync(target).length} bytes`);
