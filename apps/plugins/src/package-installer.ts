import { randomUUID } from 'node:crypto';
import path from 'node:path';
import type { Readable } from 'node:stream';
import { StreamError } from '@rivulet/protocol';
import { readBody } from '@rivulet/service';
import type { Logger } from 'pino';
import type { PluginsConfig } from './config';
import { installed, knownReleases } from './desired';
import type { Desired, Release } from './desired';
import { PackageProblem, readPackage, sha256Of } from './package-file';
import type { PluginPackage } from './package-file';
import type { PackageFolders } from './package-folders';
import { treeOf } from './package-folders';
import { remedyOf } from './plugin-faults';
import type { Program } from './plugin-host';
import { probe } from './plugin-probe';
import { shippedManifest } from './shipped';
import type { PluginStore } from './plugin-store';

interface InstallerParts {
  config: PluginsConfig;
  program: Program;
  store: PluginStore;
  folders: PackageFolders;
  /** Where a version is tried first. */
  firstHost: (version: string, digest: string) => string;
  logger: Logger;
}
export interface Installed { name: string; version: string; digest: string; bytes: number }

/** Takes packages: checks, tries, stores, and says what is desired. Whatever is wrong is said here, before any host has seen it. */
export class PackageInstaller {
  constructor(private readonly parts: InstallerParts) {}

  /** @throws StreamError BODY_INVALID, BODY_TOO_LARGE, PLUGIN_CONFLICT, LOG_UNAVAILABLE */
  async install(body: Readable, by: string): Promise<Installed> {
    const { config, store, logger } = this.parts;
    const bytesMax = config.packageBytesMax;
    const tgz = await readBody(body, {
      bytesMax, msMax: config.bodyMsMax, tooLargeDetail: `A package is at most ${bytesMax} bytes (RIVULET_PLUGINS_PACKAGE_BYTES_MAX).`,
    });
    const digest = sha256Of(tgz);
    const found = await this.unpacked(tgz);
    const { name, version } = found;
    const answer = { name, version, digest, bytes: tgz.length };
    const before = store.desired(name);
    if (this.isWanted(before, answer)) return answer;
    await this.tryOut(found, digest);
    await store.writePackage(tgz, {
      name, version, digest, bytes: tgz.length, tree: treeOf(found.files), files: found.files.size,
      unpackedBytes: found.unpackedBytes, at: Date.now(),
    });
    const release: Release = { version, digest, bytes: tgz.length, by, at: Date.now() };
    const author = { id: randomUUID(), by, at: release.at };
    if (!await store.propose(installed(name, before, release, this.parts.firstHost(version, digest), author))) {
      throw new StreamError('PLUGIN_CONFLICT', { plugin: name, detail: `Somebody else changed ${name} at the same time. Look at what is installed now, and install again if it is still wanted.` });
    }
    logger.info({ plugin: name, version, digest, bytes: tgz.length, by }, 'a plugin is installed');
    return answer;
  }

  /** @returns whether nothing is to be done. @throws StreamError PLUGIN_CONFLICT */
  private isWanted(before: Desired | undefined, { name, version, digest }: Installed): boolean {
    if (shippedManifest(name) !== null) {
      throw new StreamError('PLUGIN_CONFLICT', { plugin: name, detail: `A plugin that comes with Rivulet is called ${name}. Give yours another name.` });
    }
    const other = before && knownReleases(before).find((one) => one.version === version && one.digest !== digest);
    if (other) {
      throw new StreamError('PLUGIN_CONFLICT', {
        plugin: name, version, digest: other.digest, detail: `${name} ${version} was installed with other bytes (SHA-256 ${other.digest.slice(0, 12)}…, these have ${digest.slice(0, 12)}…). Give what was changed a version of its own.`,
      });
    }
    return (before?.rollout ? before.rollout.release : before?.current)?.digest === digest;
  }

  private async unpacked(tgz: Buffer): Promise<PluginPackage> {
    const { packageFilesMax: filesMax, unpackedBytesMax } = this.parts.config;
    try {
      return await readPackage(tgz, { filesMax, unpackedBytesMax });
    } catch (error) {
      if (error instanceof PackageProblem) throw new StreamError('BODY_INVALID', { detail: error.message }, { cause: error });
      throw error;
    }
  }

  /** Loads it once as it will be loaded, before anything refers to it. */
  private async tryOut(found: PluginPackage, digest: string): Promise<void> {
    const { config, program, folders } = this.parts;
    const { name, version } = found;
    const folder = this.trialFolder(found);
    try {
      const { loaded, fault } = await probe({ name, folder, file: path.join(folder, found.main), isOurs: false }, null, config, program);
      if (fault) refuse(name, fault.code, fault.detail.replaceAll(folder, name));
      if (loaded.facts.name !== name) refuse(name, 'START_FAILED', `Its package.json calls it ${name}, definePlugin ${loaded.facts.name}.`, 'Give both the same name.');
      if (loaded.facts.version !== version) {
        refuse(name, 'START_FAILED', `Its package.json says version ${version}, definePlugin ${loaded.facts.version}.`, 'Give both the same version.');
      }
    } finally {
      folders.removeTrial(folder);
    }
    this.parts.logger.debug({ plugin: name, version, digest }, 'a package was tried');
  }

  private trialFolder(found: PluginPackage): string {
    const { folders } = this.parts;
    try {
      folders.prepare();
      return folders.unpackForTrial(found);
    } catch (cause) {
      const detail = `This host cannot unpack packages: ${(cause as Error).message}. Give it a folder it can write to (RIVULET_PLUGINS_STORE_DIR), or ask another host.`;
      throw new StreamError('NOT_READY', { detail, retryAfterMs: 10_000 }, { cause });
    }
  }
}

function refuse(plugin: string, code: string, detail: string, remedy?: string): never {
  const said = remedy ?? remedyOf({ code: code as 'START_FAILED', name: plugin, isInstalled: true });
  throw new StreamError('BODY_INVALID', { plugin, fault: code, remedy: said, detail: `${code}: ${detail} ${said}` });
}
