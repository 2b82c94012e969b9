import { readFileSync } from 'node:fs';
import { setTimeout as elapse } from 'node:timers/promises';
import { StreamError } from '@rivulet/protocol';
import { Command } from 'commander';
import { withExamples } from '../examples';
import { Interrupted, UsageError } from '../exit-codes';
import { whole } from '../numbers';
import { interruption, putJson, putLine, tell } from '../output';
import { bytesText } from '../progress-bar';
import { call } from '../service';
import { servicePlace, withJson, withService } from '../settings';
import type { ServiceOptions, ServicePlace } from '../settings';
import { outcomeOf, stageOf } from './rollout';
import type { InstalledRow } from './rollout';
import { faultText, pluginRows } from './rows';

interface InstallOptions extends ServiceOptions { wait: boolean; timeout: number }
interface Taken { name: string; version: string; digest: string; bytes: number }

const POLL_MS = 500;
/** The host loads the package once before it answers. */
const UPLOAD_MS_MAX = 120_000;

export function installCommand(): Command {
  const command = new Command('install')
    .summary('install a package on every host')
    .description('Install a package on every host, and show each until it runs there. A newer version runs on one host first, and is taken back when it fails: exit code 1, with the fault and what to do. Needs an API key of role operator.')
    .argument('<file>', 'the package, a .tgz of rivulet plugin pack')
    .option('--no-wait', 'end when it is taken, not when it runs')
    .option('--timeout <seconds>', 'wait at most so long', whole(1, 3_600), 120);
  return withExamples(withJson(withService(command), 'what was taken, then each state of each host, as NDJSON'),
    'rivulet plugin install search-1.1.0.tgz', 'rivulet plugin install search-1.1.0.tgz --no-wait --json').action(install);
}

async function install(file: string, options: InstallOptions): Promise<void> {
  const place = servicePlace(options);
  const taken = await call<Taken>(place, '/v1/admin/plugins/packages', {
    method: 'POST', body: packageIn(file), headers: { 'content-type': 'application/gzip' }, msMax: UPLOAD_MS_MAX,
  });
  const { name, version, digest, bytes } = taken;
  if (options.json) await putJson({ type: 'taken', ...taken });
  else tell(`${name} ${version} is taken: ${bytesText(bytes)}, digest ${digest}`);
  if (options.wait) await follow(place, taken, options);
}

function packageIn(file: string): Uint8Array {
  let bytes: Buffer;
  try {
    bytes = readFileSync(file);
  } catch (error) {
    throw new UsageError(`${file} cannot be read (${(error as NodeJS.ErrnoException).code}).`);
  }
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) throw new UsageError(`${file} is no .tgz. Make one with rivulet plugin pack.`);
  return bytes;
}

async function follow(place: ServicePlace, { name, version, digest }: Taken, options: InstallOptions): Promise<void> {
  const signal = interruption();
  const deadline = performance.now() + options.timeout * 1_000;
  const shown = new Map<string, string>();
  for (;;) {
    const installed = (await call<InstalledRow[]>(place, '/v1/admin/plugins/packages')).find((one) => one.name === name);
    const rows = (await pluginRows(place)).filter(({ plugin }) => plugin === name);
    for (const row of rows) {
      const stage = stageOf(digest, row);
      if (shown.get(row.host) === stage) continue;
      shown.set(row.host, stage);
      if (options.json) await putJson({ type: 'host', ...row });
      else tell(`  ${row.host}  ${stage}${installed?.rollout?.host === row.host ? ', tried here first' : ''}`);
    }
    const outcome = outcomeOf(digest, installed, rows);
    if (outcome.state === 'running') {
      if (options.json) return putJson({ type: 'running', hosts: outcome.hosts, isEnabled: installed?.isEnabled });
      const hosts = outcome.hosts.join(', ');
      return putLine(installed?.isEnabled === false ? `${name} ${version} is on ${hosts}, and disabled: rivulet plugin enable ${name}` : `${name} ${version} runs on ${hosts}`);
    }
    if (outcome.state === 'failed') {
      for (const { where, fault } of outcome.faults) tell(faultText(where, fault));
      throw new StreamError('PLUGIN_FAILED', { plugin: name, detail: `${name} ${version} does not run on every host.` });
    }
    if (performance.now() > deadline) {
      for (const { host, fault } of rows) if (fault) tell(faultText(`${name} on ${host}`, fault));
      throw new StreamError('PLUGIN_NOT_RUNNING', { plugin: name, detail: `${name} ${version} does not run everywhere after ${options.timeout} s. It goes on; see rivulet plugin status ${name}.` });
    }
    await elapse(POLL_MS, undefined, { signal }).catch(() => {
      tell(`It goes on without this command: rivulet plugin status ${name}`);
      throw new Interrupted('Interrupted.');
    });
  }
}
