import type { AdminStream, StreamSummary } from '@rivulet/protocol';
import { Command } from 'commander';
import { StreamError } from '@rivulet/protocol';
import { withExamples } from './examples';
import { putJson, putLine, table } from './output';
import { call } from './service';
import { servicePlace, withJson, withService } from './settings';
import type { ServiceOptions, ServicePlace } from './settings';

type Inspected = StreamSummary | AdminStream;

export function inspectCommand(): Command {
  const command = new Command('inspect')
    .summary('state, attempts and verdicts of a stream')
    .description('One stream: its state, attempts and verdicts, who confirmed what; for operators and viewers also where it is in the log.')
    .argument('<streamNo>', 'the stream');
  return withExamples(withJson(withService(command)), 'rivulet inspect 20d2125e6h820nmsma8x7sk8y9zj2htf', 'rivulet inspect --json 20d2125e6h820nmsma8x7sk8y9zj2htf | jq .attempts')
    .action(inspect);
}

async function inspect(streamNo: string, options: ServiceOptions): Promise<void> {
  const place = servicePlace(options);
  const stream: Inspected = await streamOf(place, streamNo);
  if (options.json) return putJson(stream);
  await putLine(summaryText(stream));
}

/** A token for one stream sees its state; only an API key sees where it is in the log, and only a producer's key does not. */
async function streamOf(place: ServicePlace, streamNo: string): Promise<Inspected> {
  const path = encodeURIComponent(streamNo);
  const state = await call<Inspected>(place, `/v1/watch/${path}`);
  try {
    return { ...await call<AdminStream>(place, `/v1/admin/streams/${path}`), ...state };
  } catch (error) {
    if (!(error instanceof StreamError && error.code === 'FORBIDDEN')) throw error;
    return state;
  }
}

function summaryText(stream: Inspected): string {
  const { streamNo, status, channel, contentType, epoch, sequence, bytes, checksum, openedAt, updatedAt, attempts, final } = stream;
  const time = (ms: number): string => new Date(ms).toISOString();
  const rows = [
    ['stream', streamNo], ['status', `${status}${final?.reason ? ` (${final.reason})` : ''}`], ['channel', channel || '-'], ['type', contentType],
    ['opened', time(openedAt)], ['updated', time(updatedAt)],
    ['content', `${sequence} fragments, ${bytes} bytes, CRC-32 ${checksum.toString(16).padStart(8, '0')}`],
    ...(final?.digest ? [['SHA-256', final.digest]] : []),
    ...('partition' in stream ? placeRows(stream) : []),
    ...attempts.map((attempt) => ['attempt', `${attempt.epoch}${attempt.epoch === epoch ? ' (current)' : ''}: from fragment ${attempt.firstSequence}, ${attempt.outcome ?? 'running'}, since ${time(attempt.startedAt)}`]),
    ...('verdicts' in stream ? stream.verdicts.map((verdict) => ['verdict', `${verdict.kind} at offset ${verdict.offset}: ${verdict.outcome}${verdict.code ? ` ${verdict.code}` : ''}`]) : []),
    ...(stream.confirmed ?? []).map(({ session, cursor, confirmedAt, isFinal }) =>
      ['confirmed', `${session}: ${isFinal ? 'everything' : `up to ${cursor}`}, ${time(confirmedAt)}`]),
  ];
  return table(rows);
}

function placeRows(stream: AdminStream): string[][] {
  return [
    ['partition', String(stream.partition)], ['opened at', `offset ${stream.openedOffset}`], ['folded to', `offset ${stream.foldedOffset}, by claim ${stream.claim}`],
    ['lifecycle', `offset ${stream.lifecycleOffset}, ${stream.positions} positions`],
  ];
}
