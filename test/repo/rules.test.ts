import { files, product, tests } from './source-files';

const RULE = /\[((?:NO|LOG|JUDGE|APPEND|WATCH|OWN|LINK|PLUGIN)-\d+)\]/g;
/** Ids as they stand in text: `[JUDGE-4]`, and lists such as `[JUDGE-4, JUDGE-5]` or `[OWN-2..7]` are not counted: one id, one bracket. */
const idsIn = (text: string): string[] => [...text.matchAll(RULE)].map((match) => match[1]!);

const specified = new Set(files(/^docs\/PROTOCOL\.md$/).flatMap(({ text }) => idsIn(text)));
const obeyed = new Set(product().filter(({ name }) => /^(apps|libs|tools)\//.test(name)).flatMap(({ text }) => idsIn(text)));
/** The first argument of a test, also of a table of tests. */
const TEST_NAME = /\b(?:test|it|describe)(?:\.each\([\s\S]*?\))?\(\s*(['"`])([\s\S]*?)\1/g;
const tested = new Set(tests().flatMap(({ text }) => [...text.matchAll(TEST_NAME)].flatMap((match) => idsIn(match[2]!))));

test('every rule of docs/PROTOCOL.md is named where it is obeyed', () => {
  expect([...specified].filter((id) => !obeyed.has(id))).toEqual([]);
});

test('every rule of docs/PROTOCOL.md is named by a test', () => {
  expect([...specified].filter((id) => !tested.has(id))).toEqual([]);
});

test('no code or test names a rule that docs/PROTOCOL.md does not have', () => {
  expect([...new Set([...obeyed, ...tested])].filter((id) => !specified.has(id))).toEqual([]);
});
