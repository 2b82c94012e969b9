import { rivulet } from '@rivulet/client';
import type { HistoryTurn } from '@rivulet/plugin-sdk';
import type { Auth } from '@rivulet/service';
import { INPUT_KEY } from './stream-facts';
import type { StreamFact, StreamFacts } from './stream-facts';

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
    const token = await this.auth.mintRead(fact);
    let text = '';
    try {
      for await (const event of rivulet({ url: this.watchUrl, token }).watch(streamNo)) {
        // Lanes are beside the answer: reasoning, tool calls.
        if (event.type === 'fragment' && event.lane === undefined) text += event.text ?? '';
      }
    } catch {
      return null; // its retention is over
    }
    return { streamNo, input: open.metadata[INPUT_KEY], text };
  }
}
