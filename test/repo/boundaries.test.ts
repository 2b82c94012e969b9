import path from 'node:path';
import { imports, product } from './source-files';

const APPS = ['allocator', 'ingest', 'fanout', 'plugins', 'standalone', 'cli'];
/** Where the pure library may come from: nothing that reads, writes, waits or listens, so that it also runs in a browser. */
const PROTOCOL_IMPORTS = [/^\.{1,2}\//, /^protobufjs\/minimal(\.js)?$/];
/** The files that may know Nest: everything else is plain classes with their dependencies as arguments. */
const NEST_FILES = [
  /^apps\/[a-z]+\/src\/(main|module|[a-z-]+-controller)\.ts$/, /^apps\/standalone\//, /^libs\/service\//, /-batch-server\.ts$/,
];

const isOf = (name: string, app: string): boolean => name === `@rivulet/${app}` || name.startsWith(`@rivulet/${app}/`);

test('an app imports libraries, never another app (standalone composes them)', () => {
  const breaches = product().flatMap((file) => {
    const app = /^apps\/([a-z]+)\//.exec(file.name)?.[1];
    if (!app || app === 'standalone') return [];
    return imports(file)
      .filter((name) => APPS.some((other) => isOf(name, other))
        || (name.startsWith('.') && !path.join(path.dirname(file.name), name).startsWith(`apps/${app}/`)))
      .map((name) => `${file.name} imports ${name}`);
  });
  expect(breaches).toEqual([]);
});

test('libraries import no app, and libs/client nothing that only a server has', () => {
  const breaches = product().filter(({ name }) => name.startsWith('libs/')).flatMap((file) => imports(file)
    .filter((name) => APPS.some((app) => isOf(name, app))
      || (file.name.startsWith('libs/client/') && /^@rivulet\/(log|service)|^@nestjs\/|^kafkajs/.test(name)))
    .map((name) => `${file.name} imports ${name}`));
  expect(breaches).toEqual([]);
});

test('libs/protocol does no I/O', () => {
  const breaches = product().filter(({ name }) => name.startsWith('libs/protocol/src/')).flatMap((file) => imports(file)
    .filter((name) => !PROTOCOL_IMPORTS.some((allowed) => allowed.test(name)))
    .map((name) => `${file.name} imports ${name}`));
  expect(breaches).toEqual([]);
});

test('only wiring knows Nest', () => {
  const breaches = product()
    .filter(({ name }) => /^(apps|libs)\//.test(name) && !NEST_FILES.some((allowed) => allowed.test(name)))
    .filter((file) => imports(file).some((name) => name.startsWith('@nestjs/')))
    .map(({ name }) => name);
  expect(breaches).toEqual([]);
});

test('nobody exports everything', () => {
  expect(product().filter(({ text }) => /^export \* from/m.test(text)).map(({ name }) => name)).toEqual([]);
});
