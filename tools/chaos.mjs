// `npm run chaos`: builds what is not built, then runs test/chaos/main.ts from source. `npm run chaos -- --help`
import { createRequire } from 'node:module';
import { prepare } from './prepare.mjs';

const require = createRequire(import.meta.url);
if (!process.argv.includes('--help')) await prepare();
require('../test/support/ts-hook.cjs');
require('../test/chaos/main.ts');
