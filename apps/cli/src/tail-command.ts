import { parseCursor, StreamError } from '@rivulet/protocol';
import type { FinalEvent, FragmentEvent } from '@rivulet/protocol';
import type { ChannelEvent, Rivulet } from '@rivulet/client';
import { Command } from 'commander';
import { withExamples } from './examples';
import { Interrupted, UsageError } from './exit-codes';
import { interruption, put, putJson, tell } from './output';
import { clientOf } from './service';
import { servicePlace, withService } from './settings';
import type { ServiceOptions } from './settings';

interface TailOptions extends ServiceOptions { follow?: boolean; channel?: string; events?: boolean; from?: string; session?: string }

export function tailCommand(): Command {
  const command = new Command('tail')
    .summary('show the content of a stream or channel')
    .description('Show the content of a stream: what is there, or with -f until its end, also through reconnects.')
    .argument('[streamNo]', 'the stream')
    .option('-f, --follow', 'until the stream is final; exit code 1 when it did not end well')
    .option('--channel <name>', 'every stream of a channel instead, present and future, until Ctrl-C')
    .option('--events', 'NDJSON of the events instead of the content')
    .option('--json', 'the same as --events')
    .option('--from <cursor>', 'go on after this cursor')
    .option('--session <name>', 'confirm what was shown under this name, and go on after that the next time');
  return withExamples(withService(command),
    'rivulet tail -f 20d2125e6h820nmsma8x7sk8y9zj2htf', 'rivulet tail -f --events --from 1.42 20d2125e6h820nmsma8x7sk8y9zj2htf', 'rivulet tail -f --session archive 20d2125e6h820nmsma8x7sk8y9zj2htf >> archive.txt', 'rivulet tail --channel chat-42')
    .action(tail);
}

async function tail(streamNo: string | undefined, given: TailOptions): Promise<void> {
  const options = { ...given, events: given.events || given.json };
  if ((streamNo === undefined) === (options.channel === undefined)) throw new UsageError('Give a streamNo, or --channel.');
  if (streamNo === undefined && options.session !== undefined) throw new UsageError('A session confirms one stream; give its streamNo.');
  const client = clientOf(servicePlace(options));
  const signal = interruption();
  try {
    if (streamNo === undefined) await tailChannel(client, options.channel!, signal, options.events === true);
    else await tailStream(client, streamNo, options, signal);
  } catch (error) {
    if (signal.aborted) throw new Interrupted('Interrupted.');
    throw error;
  }
}

async function tailStream(client: Rivulet, streamNo: string, options: TailOptions, signal: AbortSignal): Promise<void> {
  // First: it is answered or refused within seconds, while a watch would go on trying for ever.
  const state = await client.state(streamNo);
  const confirmed = state.confirmed?.find(({ session }) => session === options.session);
  const from = options.from ?? confirmed?.cursor;
  const isUpToDate = (sequence: number): boolean => !options.follow && state.final === null && sequence >= state.sequence;
  if (isUpToDate(from === undefined ? 0 : parseCursor(from).sequence)) return;
  const watching = client.watch(streamNo, { from: options.from, session: options.session, signal });
  for await (const event of watching) {
    if (options.events) await putJson(event);
    else if (event.type === 'fragment') await put(contentOf(event));
    if (event.type === 'rewind') tell('rewind: the producer starts over; what came before is void');
    const isLast = event.type === 'final' || (event.type === 'fragment' && isUpToDate(event.to));
    // Asking for the next event would confirm this one; there is no next.
    if (isLast && options.session !== undefined) await watching.ack(event);
    if (event.type === 'final') return conclude(event);
    if (isLast) return;
  }
  // Nothing followed: it is final, and this session or cursor has everything.
  if (state.final) conclude(state.final);
}

/** @throws StreamError when it did not end well */
export function conclude({ status, reason, message }: Pick<FinalEvent, 'status' | 'reason' | 'message'>): void {
  if (status === 'ended') return;
  const why = [reason, message].filter((part) => part !== '').join(': ');
  throw new StreamError('STREAM_FINAL', { detail: `The stream is ${status}${why === '' ? '' : ` (${why})`}.` });
}

/** Whose content follows is said as tail(1) says it, whenever it changes. */
async function tailChannel(client: Rivulet, channel: string, signal: AbortSignal, isEvents: boolean): Promise<void> {
  let last = '';
  for await (const event of client.watchChannel(channel, { signal }) as AsyncIterable<ChannelEvent>) {
    if (isEvents) {
      await putJson(event);
      continue;
    }
    if (event.type === 'fragment') {
      if (last !== event.streamNo) await put(`${last === '' ? '' : '\n'}==> ${event.streamNo} <==\n`);
      last = event.streamNo;
      await put(contentOf(event));
    } else if (event.type === 'final' || event.type === 'problem') {
      tell(`${event.streamNo} ${event.type === 'final' ? event.status : `${event.code}: ${event.detail}`}`);
    }
  }
}

export function contentOf(event: Pick<FragmentEvent, 'text' | 'base64' | 'items'>): string | Uint8Array {
  if (event.text !== undefined) return event.text;
  if (event.base64 !== undefined) return Buffer.from(event.base64, 'base64');
  return (event.items ?? []).map((value) => `${JSON.stringify(value)}\n`).join('');
}

