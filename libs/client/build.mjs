// `node build.mjs`, after `tsc -b` has checked the types: what is published, from the sources.
// dist/esm, dist/cjs and dist/browser hold one file for each subpath in `exports` of package.json and the chunks they share, so that
// `instanceof` holds across subpaths. @rivulet/protocol goes in, as far as it is used (the Protobuf runtime is not); so do its types.
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const HERE = path.dirname(fileURLToPath(import.meta.url));
const PROTOCOL = path.join(HERE, '..', 'protocol');
const DIST = path.join(HERE, 'dist');
/** Where `tsc -b` put the declarations. */
const TYPES = path.join(DIST, 'types');
const { exports: subpaths } = JSON.parse(readFileSync(path.join(HERE, 'package.json'), 'utf8'));
const entries = Object.keys(subpaths).filter((name) => !name.endsWith('.json')).map((name) => (name === '.' ? 'index' : name.slice(2)));

/** The table of errors with codes and what to do next, without its texts: what the service answers has them, and a page counts bytes. */
function errorsWithoutTexts(file) {
  let rows = 0;
  const contents = readFileSync(file, 'utf8').replace(/\brow\((\d+, '[a-z]+'), '(?:[^'\\\n]|\\.)+'\)/g, (_, facts) => {
    rows += 1;
    return `row(${facts}, '')`;
  });
  if (rows === 0 || /\brow\(\d.*, '[^']+'\)/.test(contents)) throw new Error(`${file} looks otherwise than build.mjs knows: mend errorsWithoutTexts`);
  return { contents, loader: 'ts' };
}

/** The protocol from its sources, and in browsers NAME-browser.ts for NAME-node.ts; other packages stay imports. */
const resolving = (isBrowser) => ({
  name: 'resolving',
  setup({ onResolve, onLoad, resolve }) {
    onResolve({ filter: /^@rivulet\/protocol$/ }, () => ({ path: path.join(PROTOCOL, 'src', 'index.ts'), sideEffects: false }));
    if (!isBrowser) return;
    onLoad({ filter: /[\\/]protocol[\\/]src[\\/]errors\.ts$/ }, ({ path: file }) => errorsWithoutTexts(file));
    onResolve({ filter: /^\.\/[a-z-]+-node$/ }, ({ path: name, kind, resolveDir }) =>
      resolve(name.replace(/-node$/, '-browser'), { kind, resolveDir }));
  },
});

async function bundle(folder, isBrowser) {
  const outdir = path.join(DIST, folder);
  await build({
    entryPoints: entries.map((name) => path.join(HERE, 'src', `${name}.ts`)),
    outdir, bundle: true, splitting: true, format: 'esm', packages: 'external', plugins: [resolving(isBrowser)],
    platform: isBrowser ? 'browser' : 'node', target: isBrowser ? 'es2022' : 'node20.15', sourcemap: true, logLevel: 'warning', jsx: 'automatic',
  });
}

/** esbuild splits only ESM, so each of those files becomes one of CommonJS. */
const toCommonJs = () => build({
  entryPoints: readdirSync(path.join(DIST, 'esm')).filter((name) => name.endsWith('.js')).map((name) => path.join(DIST, 'esm', name)),
  outdir: path.join(DIST, 'cjs'), format: 'cjs', platform: 'node', target: 'node20.15', sourcemap: true, logLevel: 'warning',
});

/** Declarations as Node's own resolution wants them: with extensions, and nothing of a package that is not published with it. */
function copyTypes(folder) {
  const done = new Set();
  const copy = (from, to) => {
    if (done.has(to)) return;
    done.add(to);
    const text = readFileSync(from, 'utf8').replace(/(\bfrom |\bimport\()'(\.\/[^']+?|@rivulet\/protocol)(?:\.js)?'/g, (_, before, name) => {
      const isOwn = name.startsWith('.');
      const file = isOwn ? path.join(path.dirname(from), `${name}.d.ts`) : path.join(PROTOCOL, 'dist', 'index.d.ts');
      copy(file, isOwn ? path.join(path.dirname(to), `${name}.d.ts`) : path.join('protocol', 'index.d.ts'));
      return `${before}'${isOwn ? name : './protocol/index'}.js'`;
    });
    const target = path.join(DIST, folder, to);
    mkdirSync(path.dirname(target), { recursive: true });
    writeFileSync(target, text.replace(/^\/\/# sourceMappingURL=.*\n?/m, ''));
  };
  for (const name of entries) copy(path.join(TYPES, `${name}.d.ts`), `${name}.d.ts`);
}

// All of it is packed: nothing of an older build, or of an older way to build, may stay.
for (const name of readdirSync(DIST)) if (path.join(DIST, name) !== TYPES) rmSync(path.join(DIST, name), { recursive: true, force: true });
for (const folder of ['esm', 'cjs', 'browser']) {
  mkdirSync(path.join(DIST, folder), { recursive: true });
  // The nearest package.json says what the files beside it are.
  writeFileSync(path.join(DIST, folder, 'package.json'), `${JSON.stringify({ type: folder === 'cjs' ? 'commonjs' : 'module', sideEffects: false })}\n`);
}
await Promise.all([bundle('esm', false).then(toCommonJs), bundle('browser', true)]);
for (const folder of ['esm', 'cjs']) copyTypes(folder);
