import { open, rename } from 'node:fs/promises';
import path from 'node:path';
import { FILE_PIECE_BYTES, SeenContent } from './files';
import type { FileSource, FileTarget, Files } from './files';

export const files: Files = { openSource, openTarget };

async function openSource(name: string): Promise<FileSource> {
  const file = await open(name, 'r');
  const { size } = await file.stat();
  return {
    name: path.basename(name),
    sizeBytes: size,
    contentType: '',
    async *read(from, until) {
      if (from >= until) return;
      for await (const bytes of file.createReadStream({ start: from, end: until - 1, highWaterMark: FILE_PIECE_BYTES, autoClose: false })) {
        yield bytes as Uint8Array;
      }
    },
    close: () => file.close(),
  };
}

/** Writes NAME.part, goes on after what an earlier process left there, and takes the name when all is right. */
async function openTarget(name: string): Promise<FileTarget> {
  const part = `${name}.part`;
  const file = await open(part, 'a+');
  const seen = new SeenContent();
  const earlier = file.createReadStream({ start: 0, highWaterMark: FILE_PIECE_BYTES, autoClose: false });
  for await (const bytes of earlier) seen.add(bytes as Uint8Array);
  return {
    seen,
    async write(bytes) {
      for (let at = 0; at < bytes.length; ) at += (await file.write(bytes, at)).bytesWritten;
      seen.add(bytes);
    },
    async restart() {
      await file.truncate(0);
      seen.clear();
    },
    async finish() {
      await file.sync();
      await file.close();
      await rename(part, name);
    },
    leave: () => file.close(),
  };
}
