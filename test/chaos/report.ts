import type { ChaosReport } from './chaos';
import { longestPauses, pausesDuring } from './pauses';
import type { PauseStatistics } from './pauses';
import type { Window } from './schedule';

const BREACHES_MAX = 20;
const PAUSES_MAX = 5;

const countBy = (all: readonly string[]): string =>
  [...all.reduce((counts, one) => counts.set(one, (counts.get(one) ?? 0) + 1), new Map<string, number>())]
    .sort(([a], [b]) => a.localeCompare(b)).map(([one, count]) => `${one} ${count}`).join(', ');

const inWords = ({ windows, sessions, p50, p99, max }: PauseStatistics): string => (windows === 0 ? 'none'
  : `p50 ${p50.toFixed(0)} ms, p99 ${p99.toFixed(0)} ms, max ${max.toFixed(0)} ms (${windows} times, ${sessions} sessions)`);

/** The result of a run, for people. */
export function report({ seed, ledger, windows, fragments, breaches, startedAt, seconds }: ChaosReport): string {
  const during = (isMeant: (window: Window) => boolean): string => inWords(pausesDuring(windows.filter(isMeant), ledger.sessions));
  const alone = (kind: string) => (window: Window) => window.kind === kind && window.isAlone;
  const shown = breaches.slice(0, BREACHES_MAX).map((breach) => `  ${breach}`);
  return [
    '',
    `seed               ${seed}, ${seconds.toFixed(0)} s in all`,
    `faults             ${windows.length}: ${countBy(windows.map(({ kind }) => kind))}`,
    `streams            ${ledger.streams.length}: ${countBy(ledger.streams.map(({ kind }) => kind))}`,
    `fragments          ${ledger.acknowledged} acknowledged, ${fragments} in the content, ${ledger.delivered} delivered`,
    `sessions           ${ledger.sessions.length} (${countBy(ledger.sessions.map(({ kind }) => kind))}), ${ledger.reconnects} reconnects, `
      + `${ledger.sessions.reduce((sum, { record }) => sum + record.rewinds, 0)} rewinds`,
    `fenced zombies     ${ledger.zombiesFenced}; pipes cut and taken over: ${ledger.pipesBroken}`,
    'longest wait of a session for something acknowledged, per fault and session:',
    `  fanout kill -9   ${during(alone('fanout kill -9'))}`,
    `  fanout restart   ${during(alone('fanout restart'))}`,
    `  rolling restart  ${during(alone('rolling restart of fanouts'))}`,
    `  broker kill -9   ${during(alone('broker kill -9'))}`,
    `  any fault        ${during(() => true)}`,
    ...longestPauses(ledger.sessions, startedAt, PAUSES_MAX).map((pause) => `  ${pause}`),
    breaches.length === 0 ? 'verdict            nothing lost, doubled, reordered or stale'
      : `verdict            ${breaches.length} BREACHES\n${shown.join('\n')}`,
  ].join('\n');
}
