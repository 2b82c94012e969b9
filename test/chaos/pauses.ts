/** How long sessions had to wait for what was acknowledged already, while this or that happened. */
import type { SessionEntry } from './ledger';
import type { Window } from './schedule';

/** A pause that begins this long after a fault was healed still counts for it, ms: partitions move once more. */
const AFTERMATH_MS = 3000;

export interface PauseStatistics { windows: number; sessions: number; p50: number; p99: number; max: number }

export function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}

const isPlain = ({ kind }: SessionEntry): boolean => kind === 'sse' || kind === 'ws';

/** The longest ones, each in words. @param since performance.now ms of the beginning of the run */
export function longestPauses(sessions: readonly SessionEntry[], since: number, count: number): string[] {
  return sessions.filter(isPlain)
    .flatMap(({ record, pauses }) => pauses.map(({ from, to }) => ({ where: record.where, from, ms: to - from })))
    .sort((a, b) => b.ms - a.ms).slice(0, count)
    .map(({ where, from, ms }) => `${ms.toFixed(0)} ms from ${clock(from - since)} on: ${where}`);
}

export const clock = (ms: number): string => `${Math.floor(ms / 60_000)}:${String(Math.floor(ms / 1000) % 60).padStart(2, '0')}`;

/** Of the plain sessions (SSE and WS, at the head) that were there during the windows: the longest pause of each in each. */
export function pausesDuring(windows: readonly Window[], sessions: readonly SessionEntry[]): PauseStatistics {
  const longest: number[] = [];
  for (const { from, to } of windows) {
    for (const { startedAt, endedAt, pauses } of sessions.filter(isPlain)) {
      if (startedAt > from || endedAt < from) continue;
      const within = pauses.filter((pause) => pause.to >= from && pause.from <= to + AFTERMATH_MS);
      longest.push(within.reduce((max, pause) => Math.max(max, pause.to - pause.from), 0));
    }
  }
  longest.sort((a, b) => a - b);
  const [p50, p99, max] = [0.5, 0.99, 1].map((share) => percentile(longest, share)) as [number, number, number];
  return { windows: windows.length, sessions: longest.length, p50, p99, max };
}
