import { z } from 'zod';

/** One version of a plugin, by its bytes. `by`: who installed it; `at`: when, ms since the epoch. */
const release = z.object({ version: z.string(), digest: z.string().length(64), bytes: z.number(), by: z.string(), at: z.number() });
const refusal = z.object({ release, host: z.string(), code: z.string(), detail: z.string(), at: z.number() });
const desired = z.object({
  kind: z.literal('desired'), plugin: z.string(),
  change: z.number().int(), step: z.number().int(),
  /** Of the record, and of the change it belongs to: they tell a writer whether what counts is its own. */
  id: z.string(), of: z.string(),
  isEnabled: z.boolean(),
  current: release.nullable(), previous: release.nullable(),
  /** A newer version, on one host until it has proved itself there. */
  rollout: z.object({ release, host: z.string() }).nullable(),
  /** The newest version that was taken back, and why. */
  refused: refusal.nullable(),
  by: z.string(), at: z.number(),
});

export type Release = z.output<typeof release>;
export type Refusal = z.output<typeof refusal>;
/**
 * [PLUGIN-4] What is to run of a plugin, everywhere. The record of it that counts is decided by the log (docs/adr/0010): the highest
 * (change, step), and of equals the first. A `change` is somebody's wish (install, enable, uninstall, roll back); its `step`s are those of
 * its roll-out, written by hosts. A writer builds on what it has read, so of two at once the log takes one, and the other learns it by
 * reading on.
 *
 * States: current only → (install) current + rollout → (healthy) current; or → (failed) current + refused. A removed plugin keeps a row
 * with nothing in it: without one, a late step of an old change would bring it back.
 */
export type Desired = z.output<typeof desired>;

/** @throws Error when it is none */
export const decodeDesired = (value: unknown): Desired => desired.parse(value);

export const isNewerDesired = (a: Desired, b: Desired): boolean => (a.change === b.change ? a.step > b.step : a.change > b.change);

export interface Author { id: string; by: string; at: number }

const EMPTY = { isEnabled: true, current: null, previous: null, rollout: null, refused: null };

/** The next change by somebody. `before` undefined: there has been none of this plugin. */
export const changed = (plugin: string, before: Desired | undefined, what: Partial<Desired>, author: Author): Desired => ({
  kind: 'desired', plugin, ...EMPTY, ...before, ...what, change: (before?.change ?? 0) + 1, step: 0, of: author.id, ...author,
});

/** The next step of the roll-out; `by` and `at` stay those of the change. */
export const stepped = (before: Desired, what: Partial<Desired>, id: string): Desired =>
  ({ ...before, ...what, step: before.step + 1, id });

/** A first version goes to all hosts at once, and so does one of a plugin that is disabled: nothing runs that could be lost, or tell. */
export function installed(plugin: string, before: Desired | undefined, release: Release, firstHost: string, author: Author): Desired {
  if (!before?.current) return changed(plugin, before, { current: release, previous: null, refused: null }, author);
  if (!before.isEnabled) {
    return changed(plugin, before, { current: release, previous: before.current, rollout: null, refused: null }, author);
  }
  // What runs everywhere is wanted, after all: what is on trial goes.
  if (before.current.digest === release.digest) return changed(plugin, before, { rollout: null }, author);
  return changed(plugin, before, { rollout: { release, host: firstHost }, refused: null }, author);
}

export const removed = (before: Desired, author: Author): Desired => changed(before.plugin, before, EMPTY, author);

/** The version on trial is good: all hosts run it. */
export const advanced = (before: Desired, id: string): Desired =>
  stepped(before, { current: before.rollout!.release, previous: before.current, rollout: null }, id);

export const movedTo = (before: Desired, host: string, id: string): Desired =>
  stepped(before, { rollout: { release: before.rollout!.release, host } }, id);

export const takenBack = (before: Desired, why: Omit<Refusal, 'release'>, id: string): Desired =>
  stepped(before, { rollout: null, refused: { ...why, release: before.rollout!.release } }, id);

/** By hand: what is on trial is taken back; else the version before this one returns, to all hosts at once, for it ran there. */
export function rolledBack(before: Desired, author: Author): Desired | null {
  const { current, previous, rollout } = before;
  const why = { host: '', code: 'ROLLED_BACK', detail: `Rolled back by ${author.by}.`, at: author.at };
  if (rollout) return changed(before.plugin, before, { rollout: null, refused: { ...why, release: rollout.release } }, author);
  if (!current || !previous) return null;
  return changed(before.plugin, before, { current: previous, previous: null, refused: { ...why, release: current } }, author);
}

/** What this host is to run; null: nothing that is installed. */
export const releaseFor = ({ current, rollout }: Desired, host: string): Release | null =>
  (rollout?.host === host ? rollout.release : current);

/** Those that may still be needed: their packages stay in the log. */
export const releasesOf = ({ current, previous, rollout }: Desired): Release[] =>
  [current, previous, rollout?.release ?? null].filter((one) => one !== null);
/** With what is remembered of one that was taken back: a version once given to some bytes is theirs. */
export const knownReleases = (one: Desired): Release[] => [...releasesOf(one), ...(one.refused ? [one.refused.release] : [])];
