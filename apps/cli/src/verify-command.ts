import { Command } from 'commander';
import type { Damage } from './damage';
import { withExamples } from './examples';
import { openLogAt, partitionOf } from './log-access';
import { putJson, putLine } from './output';
import { ProgressBar } from './progress-bar';
import { neededKafka, withJson, withKafka } from './settings';
import type { KafkaOptions } from './settings';
import { verify } from './verify';
import type { Verified } from './verify';

interface VerifyCommandOptions extends KafkaOptions { json?: boolean; allPartitions?: boolean }

export function verifyCommand(): Command {
  const command = new Command('verify')
    .summary('is what is in Kafka what was written, and if not, where')
    .description('Fold a stream again from the records in Kafka, hold it against lifecycle, checksum and digest, and say where the damage is. Only reads.')
    .argument('<streamNo>', 'the stream')
    .option('--all-partitions', 'also look for its records in partitions where they may not be (reads the whole topic)');
  return withExamples(withJson(withKafka(command)), 'rivulet verify 20d2125e6h820nmsma8x7sk8y9zj2htf --brokers localhost:9092', 'rivulet verify --json 20d2125e6h820nmsma8x7sk8y9zj2htf | jq .damages')
    .action(run);
}

async function run(streamNo: string, options: VerifyCommandOptions): Promise<void> {
  const partition = partitionOf(streamNo);
  const opened = await openLogAt(neededKafka(options));
  const bar = new ProgressBar('verifying', 'records');
  try {
    const onProgress = (done: number, total: number): void => bar.update(done, total);
    const verified = await verify(opened, streamNo, partition, { isEverywhere: options.allPartitions === true, onProgress });
    bar.end();
    if (options.json) await putJson(verified);
    else await putLine(textOf(verified));
    if (verified.damages.length > 0) process.exitCode = 1;
  } finally {
    bar.end();
    await opened.close();
  }
}

function textOf(verified: Verified): string {
  const { streamNo, partition, first, last, records, duplicates, refused, damages } = verified;
  const { status, sequence, bytes, checksum, digest, sealed } = verified;
  const lines = [
    `${streamNo}: ${damages.length === 0 ? 'whole' : `${damages.length} ${damages.length === 1 ? 'damage' : 'damages'}`}`,
    `  partition ${partition}, ${records} records at offsets ${first} to ${last} (${duplicates} duplicate, ${refused} refused)`,
    `  ${status}, ${sequence} fragments, ${bytes} bytes, CRC-32 ${checksum.toString(16).padStart(8, '0')}`,
    `  SHA-256 ${digest || 'not computed: its beginning is not there, or something is damaged'}${sealed === '' ? ', none sealed' : digest === sealed ? ', as its producer sealed it' : ''}`,
  ];
  return [...lines, ...damages.flatMap(damageText)].join('\n');
}

function damageText({ code, fromOffset, toOffset, what, remedy, records, suspects }: Damage): string[] {
  const place = fromOffset === toOffset ? `at offset ${fromOffset}` : `between offsets ${fromOffset} and ${toOffset}`;
  const hex = (byte?: number): string => (byte === undefined ? '?' : `0x${byte.toString(16).padStart(2, '0')}`);
  return [
    `! ${code} ${place}: ${what}`,
    ...(suspects ?? []).map(({ offset, sequence, byte, found, original, isProved }) =>
      `    ${isProved ? 'proved by the SHA-256' : 'explained by one byte'}: offset ${offset}, fragment ${sequence}, byte ${byte} is ${hex(found)} and was ${hex(original)}`),
    ...(records && suspects?.length === 0 && records.length > 1 ? [`    records of the stream there: ${records.join(', ')}`] : []),
    `    remedy: ${remedy}`,
  ];
}
