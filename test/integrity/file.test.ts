/** A file through the real thing, received while it is sent, with the ingest and every fanout killed -9 once midway. */
import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { rivulet } from '@rivulet/client';
import type { ReceivedFile } from '@rivulet/client';
import { startSystem } from '../support/system';
import type { System } from '../support/system';

const BYTES = 32 * 1024 * 1024 + 77;
let system: System;
let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'rivulet-file-'));
  system = await startSystem({ brokers: process.env['KAFKA_BROKERS'], proxy: true, counts: { fanout: 2 } });
});
afterAll(async () => {
  await system?.stop();
  rmSync(folder, { recursive: true, force: true });
});

test('[APPEND-3] [WATCH-1] a file arrives byte for byte though the ingest and every fanout are killed midway', async () => {
  const content = randomBytes(BYTES);
  const [source, target] = [path.join(folder, 'source'), path.join(folder, 'target')];
  writeFileSync(source, content);
  const client = rivulet({ url: system.urls.proxy, token: system.apiKey });
  const killed: Promise<void>[] = [];
  /** Each once, when so much is through. */
  const killAt = (share: number, app: 'ingest' | 'fanout', index: number) => {
    let isDone = false;
    return (bytes: number): void => {
      if (isDone || bytes < BYTES * share) return;
      isDone = true;
      killed.push(system.kill(app, 'SIGKILL', index).then(() => system.restart(app, index)));
    };
  };
  const [ingest, one, other] = [killAt(0.4, 'ingest', 0), killAt(0.3, 'fanout', 0), killAt(0.6, 'fanout', 1)];
  let receiving: Promise<ReceivedFile> | undefined;
  const { verdict } = await client.sendFile(source, {
    onOpen: ({ streamNo }) => {
      receiving = client.receiveFile(streamNo, target, { onProgress: ({ bytes }) => [one, other].forEach((kill) => kill(bytes)) });
    },
    onProgress: ({ bytes }) => ingest(bytes),
  });
  expect(verdict).toMatchObject({ status: 'ended', bytes: BYTES });
  expect(await receiving).toMatchObject({ bytes: BYTES, digest: createHash('sha256').update(content).digest('hex') });
  await Promise.all(killed);
  expect(killed).toHaveLength(3);
  expect(readFileSync(target).equals(content)).toBe(true);
});
