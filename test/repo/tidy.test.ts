import { files, product, sources, tests } from './source-files';

const LINES_MAX = 500;
const TEST_LINES_MAX = 800;
const README_LINES_MAX = 200;
// In pieces, so that this file does not find itself.
const UNFINISHED = new RegExp(['TO' + 'DO', 'FIX' + 'ME', 'X' + 'XX', 'HA' + 'CK'].map((word) => `\\b${word}\\b`).join('|'));
const VAGUE_FOLDERS = /(^|\/)(utils?|common|shared|helpers?|core|misc)\//;

test('no file is too long to read', () => {
  const long = [
    ...product().filter(({ lines }) => lines.length > LINES_MAX),
    ...tests().filter(({ lines }) => lines.length > TEST_LINES_MAX),
  ];
  expect(long.map(({ name, lines }) => `${name}: ${lines.length}`)).toEqual([]);
});

test('the README can be read in one go', () => {
  expect(files(/^README\.md$/).filter(({ lines }) => lines.length > README_LINES_MAX)).toEqual([]);
});

test('nothing is left for later', () => {
  const found = [...sources(), ...files(/\.(md|yml|yaml|json|proto|sh)$|Dockerfile/)]
    .filter(({ name }) => name !== 'package-lock.json')
    .flatMap(({ name, lines }) => lines.flatMap((line, index) => (UNFINISHED.test(line) ? [`${name}:${index + 1}`] : [])));
  expect(found).toEqual([]);
});

test('no test is skipped or alone', () => {
  const found = tests().filter(({ text }) => /\b(?:test|it|describe)\.(?:skip|only|todo)\b|\bx(?:it|test|describe)\(/.test(text));
  expect(found.map(({ name }) => name)).toEqual([]);
});

test('folders are named for what is in them', () => {
  expect(sources().filter(({ name }) => VAGUE_FOLDERS.test(name)).map(({ name }) => name)).toEqual([]);
});

test('every version is pinned', () => {
  const loose = files(/(^|\/)package\.json$/).flatMap(({ name, text }) => {
    const { dependencies = {}, devDependencies = {} } = JSON.parse(text) as Record<string, Record<string, string>>;
    return Object.entries({ ...dependencies, ...devDependencies })
      .filter(([, version]) => !/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version))
      .map(([dependency, version]) => `${name}: ${dependency} ${version}`);
  });
  const images = files(/(^|\/)(Dockerfile[^/]*|[^/]*compose[^/]*\.ya?ml)$|^test\/support\/.*\.ts$/)
    .flatMap(({ name, text }) => (/:latest\b/.test(text) ? [name] : []));
  expect([...loose, ...images]).toEqual([]);
});

test('each RIVULET_ name that our tools and images set is a row of a config table', () => {
  const namesIn = (text: string): string[] => text.match(/\bRIVULET_[A-Z_]*[A-Z]\b/g) ?? [];
  const rows = new Set(product().filter(({ name }) => /^(apps|libs)\//.test(name)).flatMap(({ text }) => namesIn(text)));
  const strangers = files(/^(tools|deploy)\/|(^|\/)(docker-compose\.yml|Dockerfile)$/).flatMap(({ name, text }) => namesIn(text)
    .filter((variable) => !variable.startsWith('RIVULET_START_') && !rows.has(variable) && !rows.has(variable.replace(/_FILE$/, '')))
    .map((variable) => `${name}: ${variable}`));
  expect([...new Set(strangers)]).toEqual([]);
});
