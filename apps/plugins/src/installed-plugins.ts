import path from 'node:path';
import type { Logger } from 'pino';
import { releaseFor, releasesOf } from './desired';
import type { Release } from './desired';
import { readPackage } from './package-file';
import type { PackageFolders } from './package-folders';
import { treeOf } from './package-folders';
import type { PluginFault } from './plugin-faults';
import { quoted } from './plugin-faults';
import type { PluginSet } from './plugin-set';
import type { Manifest } from './plugin-records';
import type { PluginStore } from './plugin-store';

interface InstalledParts { host: string; store: PluginStore; folders: PackageFolders; plugins: PluginSet; logger: Logger }

const RETRY_MS = 2_000;
/** Time between two looks at whether a copy was damaged. */
const LOOK_MS = 2_000;


/**
 * [PLUGIN-4] Makes this host run what is desired, and nothing else that was installed: fetch, verify, unpack, start. It follows the log,
 * so a host that joins later, or comes back, needs nobody. A copy that is not what was installed is thrown away and fetched again.
 */
export class InstalledPlugins {
  /** What runs, by plugin: the package and how its folder looked. */
  private readonly running = new Map<string, { release: Release; manifest: Manifest; mark: string }>();
  /** Turns of each plugin: one at a time, and one more when something changed meanwhile. */
  private readonly turns = new Map<string, { isAgain: boolean }>();
  private readonly retries = new Map<string, NodeJS.Timeout>();
  private timer: NodeJS.Timeout | null = null;
  private isClosed = false;

  constructor(private readonly parts: InstalledParts) {}

  /** Once the log has been read. */
  start(): void {
    const { store } = this.parts;
    store.onChange((key) => {
      const [kind, plugin] = key.split('/');
      if (kind === 'desired' && plugin) this.converge(plugin);
    });
    for (const { plugin } of store.allDesired()) this.converge(plugin);
    this.timer = setInterval(() => this.look(), LOOK_MS);
  }

  close(): void {
    this.isClosed = true;
    if (this.timer) clearInterval(this.timer);
    for (const timer of this.retries.values()) clearTimeout(timer);
  }

  private converge(plugin: string): void {
    const turn = this.turns.get(plugin);
    if (turn) {
      turn.isAgain = true;
      return;
    }
    const mine = { isAgain: true };
    this.turns.set(plugin, mine);
    void this.take(plugin, mine);
  }

  private async take(plugin: string, turn: { isAgain: boolean }): Promise<void> {
    while (turn.isAgain && !this.isClosed) {
      turn.isAgain = false;
      clearTimeout(this.retries.get(plugin));
      try {
        await this.bring(plugin);
      } catch (error) {
        const fault = this.faultOf(plugin, error as Error);
        if (!this.isClosed) {
          this.parts.plugins.stand(plugin, { ...this.wantedOf(plugin), state: 'fetching', fault });
          this.retries.set(plugin, setTimeout(() => this.converge(plugin), RETRY_MS));
        }
      }
    }
    this.turns.delete(plugin);
  }

  private async bring(plugin: string): Promise<void> {
    const { store, host, plugins, folders } = this.parts;
    const desired = store.desired(plugin);
    plugins.setEnabled(plugin, desired?.isEnabled ?? true);
    const release = desired ? releaseFor(desired, host) : null;
    if (!release) {
      this.running.delete(plugin);
      plugins.uninstall(plugin);
      return this.clean();
    }
    if (this.running.get(plugin)?.release.digest === release.digest) return plugins.stand(plugin, null);
    const place = { name: plugin, ...release };
    const standing = { version: release.version, packageDigest: release.digest, fault: null };
    const manifest = store.manifest(release.digest);
    if (!manifest) throw new Error(`the log does not have the package ${release.digest.slice(0, 12)}…`);
    folders.prepare();
    let main: string | null = null;
    if (folders.exists(place)) {
      plugins.stand(plugin, { state: 'verifying', ...standing });
      main = folders.isWhole(place, manifest.tree) ? folders.mainOf(place) : null;
      if (main === null) this.damaged(plugin, release);
    }
    main ??= await this.fetch(plugin, release, manifest);
    // What is desired may have changed while the bytes came.
    const now = store.desired(plugin);
    if (this.isClosed || !now || releaseFor(now, host)?.digest !== release.digest) return;
    this.running.set(plugin, { release, manifest, mark: folders.markOf(place) });
    const folder = folders.placeOf(place);
    const file = path.join(folder, main);
    plugins.install({ name: plugin, folder, file, isOurs: false, version: release.version, packageDigest: release.digest });
    this.clean();
  }

  private async fetch(plugin: string, release: Release, manifest: Manifest): Promise<string> {
    const { store, plugins, folders, logger } = this.parts;
    const standing = { version: release.version, packageDigest: release.digest, fault: null };
    plugins.stand(plugin, { state: 'fetching', ...standing });
    const tgz = await store.readPackage(manifest);
    plugins.stand(plugin, { state: 'verifying', ...standing });
    const found = await readPackage(tgz, { filesMax: Number.MAX_SAFE_INTEGER, unpackedBytesMax: manifest.unpackedBytes });
    if (treeOf(found.files) !== manifest.tree) throw new Error('what was unpacked is not what was installed');
    folders.unpack({ name: plugin, ...release }, found);
    logger.info({ plugin, version: release.version, digest: release.digest, bytes: tgz.length }, 'a package was fetched');
    return found.main;
  }

  /** Whether what runs is still on disk as it was installed. A stat per file, unless one of them has changed. */
  private look(): void {
    const { folders } = this.parts;
    for (const [plugin, known] of this.running) {
      const place = { name: plugin, ...known.release };
      const mark = folders.markOf(place);
      if (mark === known.mark) continue;
      known.mark = mark;
      if (folders.isWhole(place, known.manifest.tree)) continue;
      this.damaged(plugin, known.release);
      this.running.delete(plugin);
      this.converge(plugin);
    }
  }

  private damaged(plugin: string, { version }: Release): void {
    this.parts.plugins.log(plugin)?.add(`(host) The copy of ${plugin} ${version} on this host was damaged. It is fetched again.`);
    const fault: PluginFault = {
      code: 'DIGEST_MISMATCH', detail: `The copy of ${plugin} ${version} on this host is not what was installed: a file was changed, added or removed.`,
      remedy: 'Nothing: it is fetched again. When it comes back, find out who writes to RIVULET_PLUGINS_STORE_DIR.',
    };
    this.parts.plugins.stand(plugin, { ...this.wantedOf(plugin), state: 'fetching', fault });
  }

  private wantedOf(plugin: string): { version: string; packageDigest: string } {
    const desired = this.parts.store.desired(plugin);
    const release = desired ? releaseFor(desired, this.parts.host) : null;
    return { version: release?.version ?? '', packageDigest: release?.digest ?? '' };
  }

  private faultOf(plugin: string, error: Error & { code?: string }): PluginFault {
    const { folders } = this.parts;
    // Errors of the file system have a syscall; what remains is of the log.
    const isOfDisk = 'syscall' in error || error.message.startsWith(path.dirname(folders.root));
    return {
      code: 'START_FAILED', detail: `${plugin} is installed and could not be brought to this host: ${error.message}. It is tried again every ${RETRY_MS / 1_000} s.`,
      remedy: isOfDisk ? `Give the host a folder of its own that it can write to: RIVULET_PLUGINS_STORE_DIR (now ${quoted(folders.root)}).`
        : `If it stays: install the same package again, or uninstall ${plugin}.`,
    };
  }

  private clean(): void {
    const { store, folders } = this.parts;
    folders.keepOnly(store.allDesired().flatMap((one) => releasesOf(one).map((release) => ({ name: one.plugin, ...release }))));
  }
}
