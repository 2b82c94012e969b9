import { rivulet } from '@rivulet/client';
import type { Auth } from '@rivulet/service';
import type { StreamFact } from './stream-facts';

/** @returns the text of a stream that has ended, without its lanes: those are beside it (reasoning, tool calls). @throws StreamError */
export async function textOf(fact: StreamFact, auth: Pick<Auth, 'mintRead'>, watchUrl: string): Promise<string> {
  let text = '';
  for await (const event of rivulet({ url: watchUrl, token: await auth.mintRead(fact) }).watch(fact.streamNo)) {
    if (event.type === 'fragment' && event.lane === undefined) text += event.text ?? '';
  }
  return text;
}
