// Rows of the report: {question, metric, value, unit, reference, ratio, target, met}.
import os from 'node:os';
import { readFileSync } from 'node:fs';

export function quantiles(values) {
  const sorted = Float64Array.from(values).sort();
  const at = (q) => sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? NaN;
  return { p50: at(0.5), p95: at(0.95), p99: at(0.99), max: sorted.at(-1) ?? NaN, count: sorted.length };
}

/** @param target text of the goal; @param isMet null when there is no goal */
export function row(question, metric, value, unit, { reference = null, ratio = null, target = null, met = null } = {}) {
  const round = (number) => (typeof number === 'number' ? Number(number.toPrecision(4)) : number);
  return { question, metric, value: round(value), unit, reference: round(reference), ratio: round(ratio), target, met };
}

export function machine() {
  const version = (name) => JSON.parse(readFileSync(new URL(`../node_modules/${name}/package.json`, import.meta.url))).version;
  return [
    `${os.cpus()[0]?.model ?? 'unknown CPU'} × ${os.cpus().length}, ${Math.round(os.totalmem() / 2 ** 30)} GiB, ${os.type()} ${os.release()}`,
    `Node ${process.version}, kafkajs ${version('kafkajs')}, Nest ${version('@nestjs/core')}, Fastify ${version('fastify')}`,
  ];
}

export function print(rows) {
  const cells = rows.map(({ question, metric, value, unit, reference, ratio, target, met }) => [
    question, metric, `${value ?? '–'} ${unit}`, reference === null ? '' : String(reference), ratio === null ? '' : `${ratio} ×`, target ?? '', met === null ? '' : met ? 'yes' : 'NO',
  ]);
  const all = [['question', 'metric', 'value', 'reference', 'ratio', 'target', 'met'], ...cells];
  const widths = all[0].map((_, column) => Math.max(...all.map((cell) => cell[column].length)));
  for (const cell of all) console.log(cell.map((text, column) => text.padEnd(widths[column])).join('  ').trimEnd());
}
