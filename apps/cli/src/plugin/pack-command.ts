import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { Command } from 'commander';
import { withExamples } from '../examples';
import { putJson, putLine, table, tell } from '../output';
import { bytesText } from '../progress-bar';
import { withJson } from '../settings';
import { checkPackage } from './package-check';
import { packPlugin, warningsOf } from './package-files';
import { readManifest } from './plugin-folder';

interface PackOptions { output?: string; check: boolean; json?: boolean }

export function packCommand(): Command {
  const command = new Command('pack')
    .summary('make a package of a plugin')
    .description('Make a .tgz of a plugin, with the files that npm pack would take, and load it as a host would. The same files are the same bytes.')
    .argument('[folder]', 'of the plugin', '.')
    .option('-o, --output <file>', 'the package (default: NAME-VERSION.tgz here)')
    .option('--no-check', 'do not load it; without this @rivulet/standalone must be installed');
  return withExamples(withJson(command, 'what was packed as JSON'), 'rivulet plugin pack', 'rivulet plugin pack plugins/search -o search.tgz').action(packIt);
}

async function packIt(given: string, options: PackOptions): Promise<void> {
  const folder = path.resolve(given);
  const manifest = readManifest(folder);
  const { tgz, digest, files, unpackedBytes } = await packPlugin(folder);
  const warnings = warningsOf(manifest, files);
  for (const warning of warnings) tell(`warning: ${warning}`);
  if (options.check) await checkPackage(folder, manifest, files);
  const { name, version } = manifest;
  const file = path.resolve(options.output ?? `${name}-${version}.tgz`);
  writeFileSync(file, tgz);
  const list = files.map(({ path: one, content }) => ({ path: one, bytes: content.length }));
  if (options.json) return putJson({ name, version, digest, bytes: tgz.length, unpackedBytes, file, warnings, files: list });
  await putLine(table([
    ...list.map(({ path: one, bytes }) => [bytesText(bytes), one]),
    ['plugin', `${name} ${version}`], ['digest', digest], ['package', `${path.relative('.', file)}, ${bytesText(tgz.length)}, unpacked ${bytesText(unpackedBytes)}`],
  ]));
}
