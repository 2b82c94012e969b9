import { RowProblem, isPluginName, TELL_MAX } from '@rivulet/service';
import type { Row } from '@rivulet/service';

export const BOUND_HOOKS = ['receive', 'send', 'persistAfter'] as const;
export type BoundHook = (typeof BOUND_HOOKS)[number];

/** Which hooks of a plugin concern the streams of a channel. */
export interface Binding {
  /** A channel, or its beginning and `*`. */
  readonly channel: string;
  readonly plugin: string;
  readonly hooks: readonly BoundHook[];
}

const CHANNEL = /^(?:[\w.~:@-]{1,128}|[\w.~:@-]{0,127}\*)$/;
const COUNT_MAX = 256;
const NAMES = ['channel', 'plugin', 'hooks'];

/** What the channel of a stream asks for. */
export class Bindings {
  constructor(private readonly bindings: readonly Binding[]) {}

  /** Of the first that fits: one plugin answers. null: none. */
  answers(channel: string): string | null {
    return this.of(channel, 'receive')[0] ?? null;
  }

  /** Plugins with that hook for the channel, in the order of the configuration. */
  of(channel: string, hook: BoundHook): string[] {
    const bound = channel === '' ? [] : this.bindings.filter((binding) => binding.hooks.includes(hook) && fits(binding.channel, channel));
    return [...new Set(bound.map(({ plugin }) => plugin))];
  }

  get hasSend(): boolean {
    return this.bindings.some(({ hooks }) => hooks.includes('send'));
  }

  /** As it would be written in the environment. */
  toString(): string {
    return this.bindings.length === 0 ? '' : JSON.stringify(this.bindings);
  }
}

const fits = (pattern: string, channel: string): boolean => (pattern.endsWith('*') ? channel.startsWith(pattern.slice(0, -1)) : channel === pattern);

/** @throws RowProblem naming the entry and what is wrong with it */
export function parseBindings(text: string): Bindings {
  let list: unknown;
  try {
    list = JSON.parse(text);
  } catch (error) {
    throw new RowProblem(`is not JSON (${(error as Error).message}); set it to a list such as [{"channel":"support.*","plugin":"ai-chat"}]`);
  }
  if (!Array.isArray(list)) throw new RowProblem('is no list; set it to one such as [{"channel":"support.*","plugin":"ai-chat"}]');
  if (list.length > COUNT_MAX) throw new RowProblem(`has ${list.length} entries; at most ${COUNT_MAX} are taken`);
  const bindings = list.map((entry, index) => parseBinding(entry, `entry ${index + 1}`));
  const told = bindings.filter(({ hooks }) => hooks.includes('persistAfter')).map(({ plugin }) => plugin);
  if (new Set(told).size > TELL_MAX) throw new RowProblem(`binds persistAfter of ${new Set(told).size} plugins; at most ${TELL_MAX} are told of a stream`);
  return new Bindings(bindings);
}

function parseBinding(entry: unknown, place: string): Binding {
  if (typeof entry !== 'object' || entry === null || Array.isArray(entry)) throw new RowProblem(`has ${place} that is no object; write {"channel":…,"plugin":…}`);
  const { channel, plugin, hooks = ['receive'] } = entry as Record<string, unknown>;
  const unknown = Object.keys(entry).find((name) => !NAMES.includes(name));
  if (unknown !== undefined) throw new RowProblem(`has ${JSON.stringify(unknown)} in ${place}; there are ${NAMES.join(', ')}`);
  if (typeof channel !== 'string' || !CHANNEL.test(channel)) {
    throw new RowProblem(`has the channel ${JSON.stringify(channel)} in ${place}; a channel is 1 to 128 of a-z A-Z 0-9 _ . ~ : @ -, with a * only as the last for every channel that begins so`);
  }
  if (!isPluginName(plugin)) throw new RowProblem(`has the plugin ${JSON.stringify(plugin)} in ${place}; names are 1 to 64 of a-z 0-9 -`);
  if (!Array.isArray(hooks) || hooks.length === 0 || !hooks.every((hook) => (BOUND_HOOKS as readonly unknown[]).includes(hook))) {
    throw new RowProblem(`has hooks ${JSON.stringify(hooks)} in ${place}; give one or more of ${BOUND_HOOKS.join(', ')}`);
  }
  return { channel, plugin, hooks: hooks as BoundHook[] };
}

export function bindingsRow(options: Pick<Row, 'env' | 'doc' | 'check'>): Row<Bindings> {
  return {
    ...options, type: 'JSON', defaultText: '', range: `a list of {channel, plugin, hooks?}, at most ${COUNT_MAX}`, isSecret: false,
    fallback: new Bindings([]), parse: parseBindings,
  };
}
