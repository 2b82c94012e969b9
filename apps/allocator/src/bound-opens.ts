import { StreamError } from '@rivulet/protocol';
import type { OpenFacts } from '@rivulet/protocol';
import { ASK_KEY, isPluginName, TELL_KEY, TELL_MAX } from '@rivulet/service';
import type { Bindings } from './bindings';
import { openMetadataProblem } from './open-options';
import type { SendHooks } from './send-hooks';

/**
 * [PLUGIN-5] What plugins have to do with a stream is decided once, at its open, and stands in its metadata from then on: every host reads
 * it there, and neither a change of the bindings nor a restart asks a plugin about a stream of before.
 */
export class BoundOpens {
  constructor(private readonly bindings: Bindings, private readonly hooks: SendHooks, private readonly metadataBytesMax: number) {}

  /**
   * @param answerOf the plugin that answers on this stream: it asks nobody, and its own plugin is neither asked nor told
   * @returns the metadata with what the plugins and the bindings say. @throws StreamError OPTIONS_INVALID, and those of the hook
   */
  async metadataOf({ channel, metadata: given, openedBy = '' }: OpenFacts, answerOf: string): Promise<Record<string, unknown>> {
    const own = namesIn(given);
    const told = [...new Set([...own.told, ...this.bindings.of(channel, 'persistAfter')])].filter((plugin) => plugin !== answerOf);
    if (told.length > TELL_MAX) throw invalid(TELL_KEY, `and the bindings of the channel together name ${told.length} plugins; at most ${TELL_MAX} are told`);
    const patched = await this.patched(channel, openedBy, given, answerOf);
    const asked = answerOf === '' ? own.asked ?? this.bindings.answers(channel) : null;
    const { [ASK_KEY]: _asked, [TELL_KEY]: _told, ...rest } = patched;
    return { ...rest, ...(asked === null ? {} : { [ASK_KEY]: asked }), ...(told.length === 0 ? {} : { [TELL_KEY]: told }) };
  }

  private async patched(channel: string, by: string, given: Record<string, unknown>, answerOf: string): Promise<Record<string, unknown>> {
    let metadata = given;
    for (const plugin of this.bindings.of(channel, 'send')) {
      if (plugin === answerOf) continue;
      metadata = { ...metadata, ...await this.hooks.ask(plugin, { channel, by, metadata }) };
      const problem = openMetadataProblem(metadata, this.metadataBytesMax);
      if (problem !== null) throw new StreamError('PLUGIN_FAILED', { plugin, detail: `What its hook send adds to the metadata cannot be taken: metadata ${problem}.` });
    }
    return metadata;
  }
}

/** @throws StreamError OPTIONS_INVALID: what is misspelt would never be answered, and nobody would notice */
function namesIn(metadata: Record<string, unknown>): { asked: string | null; told: string[] } {
  const { [ASK_KEY]: asked = null, [TELL_KEY]: told = [] } = metadata;
  if (asked !== null && !isPluginName(asked)) throw invalid(ASK_KEY, 'must be the name of a plugin');
  if (!Array.isArray(told) || told.length > TELL_MAX || !told.every(isPluginName)) throw invalid(TELL_KEY, `must be a list of at most ${TELL_MAX} names of plugins`);
  return { asked, told };
}

const invalid = (key: string, rule: string): StreamError => new StreamError('OPTIONS_INVALID', { option: `metadata.${key}`, detail: `metadata.${key} ${rule}.` });
