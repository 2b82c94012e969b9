import type { HistoryTurn } from '@rivulet/plugin-sdk';
import type { Auth } from '@rivulet/service';
import { INPUT_KEY, REPLY_KEY } from './stream-facts';
import type { StreamFact, StreamFacts } from './stream-facts';
import { textOf } from './stream-text';

const TURN_BYTES_MAX = 1024 * 1024;

/** What was asked and answered in a channel before, read back from the streams themselves. */
export class ChannelHistory {
  constructor(private readonly facts: StreamFacts, private readonly auth: Auth, private readonly watchUrl: string) {}

  /** @returns the newest turns, oldest first; answers that are too large, or gone, are left out */
  async turns(plugin: string, channel: string, turnsMax: number): Promise<HistoryTurn[]> {
    if (channel === '' || turnsMax === 0) return [];
    const ended = this.facts.ended(plugin, channel).filter(({ bytes }) => bytes <= TURN_BYTES_MAX).slice(-turnsMax);
    const turns = await Promise.all(ended.map((fact) => this.turn(fact)));
    return turns.filter((turn) => turn !== null);
  }

  private async turn(fact: StreamFact): Promise<HistoryTurn | null> {
    const { streamNo, open } = fact;
    try {
      const [text, input] = await Promise.all([textOf(fact, this.auth, this.watchUrl), open.metadata[INPUT_KEY] ?? this.question(fact)]);
      return { streamNo, input, text };
    } catch {
      return null; // its retention is over
    }
  }

  /** A question that was too large to be kept with its answer, and is a stream of its own. */
  private question({ open }: StreamFact): Promise<string> | undefined {
    const asking = this.facts.get(String(open.metadata[REPLY_KEY]));
    return asking && asking.bytes <= TURN_BYTES_MAX ? textOf(asking, this.auth, this.watchUrl) : undefined;
  }
}
