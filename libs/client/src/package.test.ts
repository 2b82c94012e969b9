import { execFile, execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import type { BuildResult } from 'esbuild';
import { ERRORS } from '@rivulet/protocol';
import { startRivulet } from '@rivulet/standalone';
import type { RunningRivulet } from '@rivulet/standalone';
import ts from 'typescript';

const ROOT = path.resolve(__dirname, '..', '..', '..');
const CLIENT = path.join(ROOT, 'libs', 'client');
const READER_BYTES_MAX = 15 * 1024;

interface Manifest { dependencies?: Record<string, string>; peerDependencies?: Record<string, string>; exports: Record<string, unknown> }

/** A project of somebody else, outside the repository: it has what npm would install for it, the packed tarball and its dependencies. */
let project: string;
let manifest: Manifest;
/** What can be imported: '@rivulet/client', '@rivulet/client/cache', … */
let names: string[];

beforeAll(() => {
  if (!existsSync(path.join(CLIENT, 'dist', 'esm'))) throw new Error('Run `npm run build` first: this tests what is published.');
  project = mkdtempSync(path.join(tmpdir(), 'rivulet-client-'));
  const packed = execFileSync('npm', ['pack', '--json', '--ignore-scripts', `--pack-destination=${project}`], { cwd: CLIENT, encoding: 'utf8' });
  const [{ filename }] = JSON.parse(packed) as [{ filename: string }];
  const modules = path.join(project, 'node_modules');
  mkdirSync(path.join(modules, '@rivulet', 'client'), { recursive: true });
  execFileSync('tar', ['-xzf', path.join(project, filename), '--strip-components=1', '-C', path.join(modules, '@rivulet', 'client')]);
  manifest = JSON.parse(readFileSync(path.join(modules, '@rivulet', 'client', 'package.json'), 'utf8')) as Manifest;
  for (const name of Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies })) link(modules, name);
  names = Object.keys(manifest.exports).filter((name) => !name.endsWith('.json')).map((name) => path.posix.join('@rivulet/client', name));
});
afterAll(() => rmSync(project, { recursive: true, force: true }));

function link(modules: string, name: string): void {
  for (const one of [name, `@types/${name}`]) {
    const from = path.join(ROOT, 'node_modules', one);
    if (!existsSync(from)) continue;
    mkdirSync(path.dirname(path.join(modules, one)), { recursive: true });
    symlinkSync(from, path.join(modules, one));
  }
}

function runNode(file: string, text: string, ...args: string[]): string {
  writeFileSync(path.join(project, file), text);
  const { status, stdout, stderr } = spawnSync(process.execPath, [file, ...args], { cwd: project, encoding: 'utf8', timeout: 120_000 });
  if (status !== 0) throw new Error(`${file} exited with ${status}: ${stderr}`);
  return stdout;
}

test('the package stands alone: it needs no other package of ours, and packs neither tests nor sources', () => {
  expect(Object.keys(manifest.dependencies ?? {}).filter((name) => name.startsWith('@rivulet/'))).toEqual([]);
  const files = execFileSync('find', ['node_modules/@rivulet/client', '-type', 'f'], { cwd: project, encoding: 'utf8' }).trim().split('\n');
  expect(files.filter((name) => /\.test\.|\/src\/|tsbuildinfo|dist\/types/.test(name))).toEqual([]);
  expect(files).toContain('node_modules/@rivulet/client/README.md');
});

describe('from Node', () => {
  let system: RunningRivulet;
  beforeAll(async () => { system = await startRivulet({ env: { RIVULET_LOG_LEVEL: 'error' } }); });
  afterAll(() => system.stop());

  const ROUND_TRIP = `
    const client = rivulet({ url: process.argv[2], token: process.argv[3] });
    const main = async () => {
      const producer = await client.open();
      await producer.write('as written');
      await producer.end();
      const text = await client.watch(producer.streamNo).text();
      const code = await client.watch('made-up').text().catch((error) => (error instanceof StreamError ? error.code : error));
      console.log(text + ', ' + code);
    };
    main();`;
  const SAID = 'as written, STREAM_NO_NOT_ISSUED\n';

  // The system runs in this process, so the child must not block it.
  const roundTrip = (file: string, text: string): Promise<string> => new Promise((resolve, reject) => {
    writeFileSync(path.join(project, file), text + ROUND_TRIP);
    execFile(process.execPath, [file, system.url, system.apiKey], { cwd: project, timeout: 120_000 },
      (error, stdout) => (error ? reject(error) : resolve(stdout)));
  });

  test('it writes and reads as an ES module', async () => {
    expect(await roundTrip('round.mjs', "import { StreamError, rivulet } from '@rivulet/client';")).toBe(SAID);
  });

  test('it writes and reads by require', async () => {
    expect(await roundTrip('round.cjs', "const { StreamError, rivulet } = require('@rivulet/client');")).toBe(SAID);
  });
});

test('every subpath can be imported and required, and gives the same names either way', () => {
  const said = (expressions: string[]): string => `console.log(JSON.stringify([${expressions.join(', ')}]))`;
  const esm = names.map((name, index) => `import * as m${index} from '${name}';`).join('\n');
  const imported = runNode('names.mjs', `${esm}\n${said(names.map((_, index) => `Object.keys(m${index}).sort()`))}`);
  const required = runNode('names.cjs', said(names.map((name) => `Object.keys(require('${name}')).sort()`)));
  expect(JSON.parse(required)).toEqual(JSON.parse(imported));
  for (const exported of JSON.parse(imported) as string[][]) expect(exported.length).toBeGreaterThan(0);
});

test.each([
  ['Node, ES modules', 'consumer.mts', ts.ModuleKind.Node16, ts.ModuleResolutionKind.Node16],
  ['Node, CommonJS', 'consumer.cts', ts.ModuleKind.Node16, ts.ModuleResolutionKind.Node16],
  ['a bundler', 'consumer.ts', ts.ModuleKind.ESNext, ts.ModuleResolutionKind.Bundler],
])('its types hold in a strict project for %s, with nothing but the DOM', (_, file, module, moduleResolution) => {
  const imports = names.map((name, index) => `import * as m${index} from '${name}';\nexport const used${index} = m${index};`);
  const body = `import { rivulet } from '@rivulet/client';
    import type { ReaderEvent } from '@rivulet/client';
    const client = rivulet({ url: 'http://127.0.0.1', token: 't' });
    export async function read(no: string): Promise<ReaderEvent[]> {
      const events: ReaderEvent[] = [];
      for await (const event of client.watch(no)) if (event.type === 'fragment') events.push(event);
      return events;
    }
    // @ts-expect-error a streamNo is a string
    client.watch(42);`;
  writeFileSync(path.join(project, file), [...imports, body].join('\n'));
  const program = ts.createProgram([path.join(project, file)], {
    module, moduleResolution, target: ts.ScriptTarget.ES2022, lib: ['lib.es2023.d.ts', 'lib.dom.d.ts', 'lib.dom.iterable.d.ts'],
    types: [], strict: true, noEmit: true, jsx: ts.JsxEmit.ReactJSX,
  });
  const ours = program.getSourceFiles().filter(({ fileName }) => fileName.startsWith(project));
  expect(ours.length).toBeGreaterThan(5);
  const problems = ours.flatMap((one) => [...program.getSyntacticDiagnostics(one), ...program.getSemanticDiagnostics(one)]);
  expect(ts.formatDiagnostics([...program.getOptionsDiagnostics(), ...problems], { getCanonicalFileName: (name) => name, getCurrentDirectory: () => project, getNewLine: () => '\n' })).toBe('');
});

describe('from a browser', () => {
  const bundle = (contents: string): Promise<BuildResult<{ metafile: true; write: false }>> => build({
    stdin: { contents, resolveDir: project }, bundle: true, minify: true, format: 'esm', platform: 'browser', splitting: true,
    outdir: path.join(project, 'out'), write: false, metafile: true, logLevel: 'silent',
  });

  test('every subpath bundles without anything that only Node has', async () => {
    for (const name of names) {
      const { metafile } = await bundle(`export * from '${name}';`);
      const inputs = Object.keys(metafile.inputs).join('\n');
      expect(inputs).toContain('client/dist/browser/');
      expect(inputs).not.toMatch(/node_modules\/ws\/|dist\/(esm|cjs)\//);
      expect(Object.values(metafile.outputs).flatMap(({ imports }) => imports.filter(({ external }) => external))).toEqual([]);
    }
  });

  test('its errors have code and next step as everywhere, the text of the service, and none of their own', () => {
    const browser = path.join(CLIENT, 'dist', 'browser');
    const files = readdirSync(browser).filter((name) => name.endsWith('.js')).map((name) => readFileSync(path.join(browser, name), 'utf8'));
    expect(files.filter((text) => Object.values(ERRORS).some((row) => text.includes(row.text)))).toEqual([]);
    // The build for browsers runs in Node too, as far as this needs it.
    const said = runNode('errors.mjs', `import { StreamError, rivulet } from './node_modules/@rivulet/client/dist/browser/index.js';
      const own = new StreamError('STREAM_GONE');
      const body = JSON.stringify({ code: 'STREAM_FINAL', status: 409, detail: 'It has ended, said the service.' });
      const client = rivulet({ url: 'http://x', token: 't', fetch: async () => new Response(body, { status: 409 }) });
      const { code, row, message } = await client.state('made-up').catch((error) => error);
      console.log(JSON.stringify([own.code, own.row.status, own.row.next, own.message, code, row.next, message]));`);
    expect(JSON.parse(said)).toEqual([
      'STREAM_GONE', 410, 'stop', 'STREAM_GONE', 'STREAM_FINAL', 'stop', 'STREAM_FINAL: It has ended, said the service.',
    ]);
  });

  test('a reader is at most 15 KiB gzipped, without the Protobuf runtime', async () => {
    const { outputFiles, metafile } = await bundle(`import { rivulet } from '@rivulet/client';
      for await (const event of rivulet({ url: location.origin, token: '' }).watch(location.hash)) console.log(event);`);
    // What is loaded before anything runs: the entry and what it imports at once. Sending and receiving files comes when it is called.
    const loaded = new Set<string>();
    const load = (name: string): void => {
      if (loaded.has(name)) return;
      loaded.add(name);
      for (const { path: next, kind } of metafile.outputs[name]!.imports) if (kind === 'import-statement') load(next);
    };
    load(Object.keys(metafile.outputs).find((name) => name.endsWith('stdin.js'))!);
    const contents = outputFiles.filter((file) => [...loaded].some((name) => file.path.endsWith(path.basename(name))));
    expect(contents).toHaveLength(loaded.size);
    expect(contents.reduce((bytes, file) => bytes + gzipSync(file.contents).length, 0)).toBeLessThan(READER_BYTES_MAX);
    expect(Object.keys(metafile.inputs).filter((name) => /protobuf|\blong\b/.test(name))).toEqual([]);
    expect(outputFiles.some((file) => file.text.includes('LogRecord'))).toBe(false);
    expect(contents.some((file) => file.text.includes('receiveFile'))).toBe(true);
  });
});
