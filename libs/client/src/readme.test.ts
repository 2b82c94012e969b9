import { readFileSync } from 'node:fs';
import path from 'node:path';
import ts from 'typescript';

const FOLDER = path.join(__dirname, '..');
const readme = readFileSync(path.join(FOLDER, 'README.md'), 'utf8');
const snippets = [...readme.matchAll(/```(tsx?)\n([\s\S]*?)```/g)].map(([, extension, text], index) =>
  ({ name: path.join(FOLDER, `readme-${index + 1}.${extension}`), text: text! }));

test('the snippets of the README are right in a strict project', () => {
  expect(snippets.length).toBeGreaterThan(5);
  const options: ts.CompilerOptions = {
    module: ts.ModuleKind.ESNext, moduleResolution: ts.ModuleResolutionKind.Bundler, target: ts.ScriptTarget.ES2022,
    strict: true, noEmit: true,
    lib: ['lib.es2023.d.ts', 'lib.dom.d.ts', 'lib.dom.iterable.d.ts'], types: ['node'], skipLibCheck: true, jsx: ts.JsxEmit.ReactJSX,
    paths: {
      '@rivulet/client': [path.join(__dirname, 'index.ts')],
      '@rivulet/client/*': [path.join(__dirname, '*')],
      '@rivulet/protocol': [path.join(FOLDER, '..', 'protocol', 'src', 'index.ts')],
    },
  };
  const host = ts.createCompilerHost(options);
  const { getSourceFile, fileExists } = host;
  const texts = new Map(snippets.map(({ name, text }) => [name, text]));
  host.fileExists = (name) => texts.has(name) || fileExists(name);
  host.getSourceFile = (name, ...rest) => (texts.has(name)
    ? ts.createSourceFile(name, texts.get(name)!, ts.ScriptTarget.ES2022) : getSourceFile(name, ...rest));
  const program = ts.createProgram([...texts.keys()], options, host);
  const problems = snippets.flatMap(({ name }) => {
    const source = program.getSourceFile(name);
    return [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)];
  });
  expect(problems.map(({ messageText, file, start }) => `${path.basename(file!.fileName)}:${file!.getLineAndCharacterOfPosition(start!).line + 1} ${
    ts.flattenDiagnosticMessageText(messageText, '\n')}`)).toEqual([]);
});

test('each call of the client is in the README', () => {
  const source = readFileSync(path.join(__dirname, 'rivulet.ts'), 'utf8');
  const calls = [...source.matchAll(/^ {2}(?:async )?(?!constructor|private)([a-zA-Z]+)\(/gm)].map(([, name]) => name!);
  expect(new Set(calls).size).toBeGreaterThan(7);
  expect(calls.filter((name) => !readme.includes(`${name}(`))).toEqual([]);
});
