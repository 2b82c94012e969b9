import { allocatorRows } from '@rivulet/allocator';
import { fanoutRows } from '@rivulet/fanout';
import { ingestRows } from '@rivulet/ingest';
import { ANSWER_CODES, FAULTS, pluginsRows } from '@rivulet/plugins';
import type { Answered } from '@rivulet/plugins';
import { ERRORS } from '@rivulet/protocol';
import { serviceRows } from '@rivulet/service';
import { startRivulet } from '@rivulet/standalone';
import { startPluginSystem } from '../support/plugin-system';
import { files } from './source-files';
import { at, durationMs, listAt, mapAt, textAt, yamlDocuments } from './yaml-files';
import type { Yaml } from './yaml-files';

const OPERATIONS = files(/^docs\/OPERATIONS\.md$/)[0]?.text ?? '';
const RULES = yamlDocuments(/^deploy\/prometheus\/alerts\.yml$/)
  .flatMap(({ content }) => listAt(content, 'groups').flatMap((group) => listAt(group, 'rules') as Yaml[]));
const expressionOf = (rule: Yaml): string => textAt(rule, 'expr');
const headingsUnder = (title: string): string[] => {
  const [, section = ''] = OPERATIONS.split(`\n## ${title}\n`);
  return [...(section.split('\n## ')[0] ?? '').matchAll(/^### (.+)$/gm)].map((match) => match[1] as string);
};
/** Names of metrics, without what PromQL and Prometheus itself bring. */
const metricsIn = (text: string): string[] => text.match(/\b(?:rivulet|http|nodejs|process)_[a-z0-9_]+/g) ?? [];
const ROWS = { ...serviceRows, ...allocatorRows, ...ingestRows, ...fanoutRows, ...pluginsRows };
/** How an answer of a plugin went. */
const OUTCOMES: Answered['outcome'][] = ['ended', 'failed', 'stopped'];
const rowOf = (env: string) => Object.values(ROWS).find((row) => row.env === env.replace(/_FILE$/, ''));

/** Every metric of every app, from the pages of a running system and a plugin host, by name; histograms with the names of their series. */
let served: Set<string>;
/** The text of these pages. */
let page: string;

beforeAll(async () => {
  const system = await startRivulet({ env: { RIVULET_LOG_LEVEL: 'silent' } });
  try {
    page = await (await fetch(`${system.url}/metrics`)).text();
  } finally {
    await system.stop();
  }
  const plugins = await startPluginSystem();
  try {
    page += await (await fetch(`${(await plugins.addHost()).url}/metrics`)).text();
  } finally {
    await plugins.stop();
  }
  served = new Set([...page.matchAll(/^# TYPE (\S+) (\S+)$/gm)].flatMap(([, name = '', type]) =>
    (type === 'histogram' ? [name, `${name}_bucket`, `${name}_sum`, `${name}_count`] : [name])));
});

test('every metric that an alert or the documentation names is one that a process shows', () => {
  expect(served.size).toBeGreaterThan(40);
  const named = [...new Set([...metricsIn(OPERATIONS), ...RULES.flatMap((rule) => metricsIn(expressionOf(rule)))])];
  expect(named.length).toBeGreaterThan(30);
  expect(named.filter((name) => !served.has(name))).toEqual([]);
});

test('the dashboard shows metrics that processes show, each panel in a place of its own', () => {
  const { panels } = JSON.parse(files(/^deploy\/grafana\/rivulet\.json$/)[0]?.text ?? '') as {
    panels: { title: string; gridPos: { x: number; y: number; w: number; h: number }; targets?: { expr: string }[] }[];
  };
  const expressions = panels.flatMap((panel) => panel.targets ?? []).map((target) => target.expr);
  expect(expressions.length).toBeGreaterThan(20);
  expect(expressions.flatMap(metricsIn).filter((name) => !served.has(name))).toEqual([]);
  expect(expressions.filter((expression) => metricsIn(expression).length === 0)).toEqual([]);
  expect(new Set(panels.map(({ gridPos: { x, y } }) => `${x},${y}`)).size).toBe(panels.length);
});

test('a histogram is asked for its buckets, a counter for its rate, and neither for its value', () => {
  const typeOf = (name: string): string => new RegExp(`^# TYPE ${name.replace(/_(bucket|sum|count)$/, '(?:_bucket|_sum|_count)?')} (\\S+)$`, 'm').exec(page)?.[1] ?? '';
  const breaches = RULES.flatMap((rule) => metricsIn(expressionOf(rule)).filter((name) => {
    const isRate = new RegExp(`(rate|increase)\\(${name}(\\{[^}]*\\})?\\[`).test(expressionOf(rule));
    return ['counter', 'histogram'].includes(typeOf(name)) !== isRate;
  }).map((name) => `${textAt(rule, 'alert')}: ${name}`));
  expect(breaches).toEqual([]);
});

test('every alert has its section, every section its alert, in the same order', () => {
  expect(RULES.length).toBeGreaterThan(15);
  expect(headingsUnder('Alerts')).toEqual(RULES.map((rule) => textAt(rule, 'alert')));
});

test('every section of an alert says what users notice and what to do first', () => {
  const sections = (OPERATIONS.split('\n## Alerts\n')[1]?.split('\n## ')[0] ?? '').split('\n### ').slice(1);
  expect(sections.length).toBe(RULES.length);
  for (const section of sections) expect(section).toMatch(/^\w+\n.+\*\*Users:\*\* .+\*\*First:\*\* /s);
});

test('every alert has a severity that decides who is woken, a summary, and a time it waits where it says one', () => {
  for (const rule of RULES) {
    expect(mapAt(rule, 'labels')['severity']).toMatch(/^(page|ticket)$/);
    expect(textAt(rule, 'annotations', 'summary')).toMatch(/.{10,}\.$/);
    if (rule['for'] !== undefined) expect(durationMs(at(rule, 'for'))).toBeGreaterThan(0);
  }
});

test('codes and services that alerts ask for exist', () => {
  for (const rule of RULES) {
    const codes = [...expressionOf(rule).matchAll(/(?:^|[^_])(?:code|outcome)=~?"([^"]+)"/g)].flatMap((match) => (match[1] as string).split('|'));
    for (const code of codes) expect([...Object.keys(ERRORS), ...FAULTS, ...OUTCOMES]).toContain(code);
    const apps = [...expressionOf(rule).matchAll(/app=~?"([^"]+)"/g)].flatMap((match) => (match[1] as string).split('|'));
    for (const app of apps) expect(['allocator', 'ingest', 'fanout', 'plugins']).toContain(app);
  }
});

test('numbers in alerts are those of the configuration and the manifests', () => {
  const expression = (name: string): string => expressionOf(RULES.find((rule) => rule['alert'] === name) ?? {});
  const partitions = serviceRows.partitionsInteractive.fallback + serviceRows.partitionsBulk.fallback;
  expect(expression('RivuletPartitionsWithoutOwner')).toContain(`< ${partitions}`);
  const limitOf = (app: string): number => {
    const [deployment] = yamlDocuments(new RegExp(`^deploy/kubernetes/base/${app}\\.yaml$`));
    const [, mebibytes] = /^(\d+)Mi$/.exec(textAt(deployment?.content, 'spec', 'template', 'spec', 'containers', 0, 'resources', 'limits', 'memory')) ?? [];
    return Math.floor(Number(mebibytes) * 1024 * 1024 * 0.8);
  };
  expect(expression('RivuletMemoryHigh')).toContain(`app="fanout"} > ${limitOf('fanout')}`);
  expect(expression('RivuletMemoryHigh')).toContain(`app=~"allocator|ingest"} > ${limitOf('ingest')}`);
});

test('every setting that the documentation names is a row of a config table', () => {
  const named = [...new Set(OPERATIONS.match(/\bRIVULET_[A-Z_]*[A-Z]\b/g))];
  expect(named.length).toBeGreaterThan(15);
  // The first is the key itself, for people; the second is what Kubernetes would set by itself, and is a setting too.
  expect(named.filter((name) => !rowOf(name) && !name.startsWith('RIVULET_START_'))).toEqual([]);
});

test('every error code that the documentation names is in the table', () => {
  const named = [...new Set([...OPERATIONS.matchAll(/`([A-Z]+(?:_[A-Z]+)+)`/g)].map((match) => match[1] as string))]
    .filter((name) => !/^(RIVULET|KAFKA|JUDGE)_/.test(name));
  expect(named.length).toBeGreaterThan(10);
  expect(named.filter((name) => !(name in ERRORS) && !ANSWER_CODES.includes(name))).toEqual([]);
});

test('links inside the documentation lead somewhere', () => {
  const anchorOf = (heading: string): string => heading.toLowerCase().replace(/[^\w\- ]/g, '').replaceAll(' ', '-');
  const anchors = new Set([...OPERATIONS.matchAll(/^#{2,3} (.+)$/gm)].map((match) => anchorOf(match[1] as string)));
  const inside = [...OPERATIONS.matchAll(/\]\(#([^)]+)\)/g)].map((match) => match[1] as string);
  expect(inside.length).toBeGreaterThan(10);
  expect(inside.filter((anchor) => !anchors.has(anchor))).toEqual([]);
  const repository = new Set(files(/./).map(({ name }) => name));
  const outside = [...OPERATIONS.matchAll(/\]\(([^)#]+?)(?:#[^)]*)?\)/g)].map((match) => match[1] as string).filter((link) => !link.startsWith('http'));
  expect(outside.filter((link) => !repository.has(link.startsWith('../') ? link.slice(3) : `docs/${link}`))).toEqual([]);
  const mentioned = files(/^deploy\/.*|^docker-compose\.yml$/)
    .flatMap(({ text }) => [...text.matchAll(/docs\/OPERATIONS\.md#([a-z0-9-]+)/g)].map((match) => match[1] as string));
  expect(mentioned.filter((anchor) => !anchors.has(anchor))).toEqual([]);
});
