'use strict';
// `node -r ./test/support/ts-hook.cjs` runs TypeScript sources as they are: for tests that need a process of their own, built or not.
const { readFileSync } = require('node:fs');
const Module = require('node:module');
const path = require('node:path');
const { transformSync } = require('@swc/core');

const root = path.join(__dirname, '..', '..');
const resolve = Module._resolveFilename;
Module._resolveFilename = function resolveSource(request, ...rest) {
  const [, library, entry = 'index'] = /^@rivulet\/(protocol|log|service|client|plugin-sdk)(?:\/([a-z-]+))?$/.exec(request) ?? [];
  // A dynamic import names the file it will be.
  if (/^\.\/(?:send|receive)-file\.js$/.test(request)) return resolve.call(this, request.replace(/js$/, 'ts'), ...rest);
  return resolve.call(this, library ? path.join(root, 'libs', library, 'src', `${entry}.ts`) : request, ...rest);
};
Module._extensions['.ts'] = (module, file) => {
  const { code } = transformSync(readFileSync(file, 'utf8'), {
    filename: file,
    jsc: { target: 'es2022', parser: { syntax: 'typescript', decorators: true }, transform: { legacyDecorator: true, decoratorMetadata: true } },
    module: { type: 'commonjs' },
  });
  module._compile(code, file);
};
