import { equalForCheckpoint } from '@rivulet/protocol';
import type { StreamState } from '@rivulet/protocol';
import { OWNER_SETTINGS } from '../../apps/fanout/src/owner-settings';
import { PartitionOwner } from '../../apps/fanout/src/partition-owner';
import { ViewCache } from '../../apps/fanout/src/view-cache';
import { Violation } from './oracle';
import { codeOf, ownerContext } from './sim-instance';
import { SimLog } from './sim-log';
import type { SimWorld } from './sim-world';
import { SimProcess } from './virtual-loop';

/**
 * A takeover that changes nothing: at any moment, on a copy of the log, a new owner must come to what the whole log says [OWN-3]. So
 * replayFrom never passes a record that a replay needs, and no checkpoint is missing one.
 */
export class Probe {
  private readonly process: SimProcess;
  isDone = false;

  constructor(private readonly world: SimWorld) {
    this.process = new SimProcess('probe');
  }

  start(partition: number): void {
    const { world, process } = this;
    const broker = world.broker.fork();
    const end = broker.partition(broker.names.fragments, partition).end;
    const expected = new Map<string, StreamState>();
    for (const { plan } of world.streams) {
      const state = plan.partition === partition ? world.oracle.stateAt(plan.streamNo, end - 1) : undefined;
      if (state !== undefined) expected.set(plan.streamNo, state);
    }
    const events = { note: (text: string) => world.note(text), count: () => world.count('probes') };
    const log = new SimLog(broker, process, { lagMs: 0, batchBytesMax: 1_000 });
    const owner = new PartitionOwner(partition, ownerContext(log, process, OWNER_SETTINGS, new ViewCache({ bytesMax: 1e6 }), events));
    world.loop.after(process, 0, () => {
      owner.start().then(
        () => world.watch(() => this.compare(owner, expected, end)),
        (error: unknown) => { world.failure ??= new Violation(`a takeover failed: ${codeOf(error)}`); },
      );
    });
  }

  private compare(owner: PartitionOwner, expected: Map<string, StreamState>, end: number): void {
    this.isDone = true;
    const { oracle } = this.world;
    this.world.note(`a takeover at ${end} has ${owner.replica.table.openCount} open, ${owner.replica.table.finished.size} finished`);
    for (const [streamNo, state] of expected) {
      if (oracle.damaged.has(streamNo)) continue;
      const live = owner.replica.table.live.get(streamNo);
      const finished = owner.replica.table.finished.get(streamNo);
      if (state.isDeleted && live === undefined && finished === undefined) continue;
      if (live === undefined && finished === undefined) throw new Violation(`a takeover at ${end} does not know ${streamNo}`);
      if (live === undefined) {
        if (state.final === null) throw new Violation(`a takeover at ${end} takes ${streamNo} for finished`);
        if (finished!.isDeleted !== state.isDeleted) throw new Violation(`a takeover at ${end} has ${streamNo} ${finished!.isDeleted ? '' : 'not '}deleted`);
      } else if (state.final === null ? !equalForCheckpoint(live.state, state) : live.state.final?.offset !== state.final.offset) {
        throw new Violation(`a takeover at ${end} has another state of ${streamNo}: ${JSON.stringify(live.state)} instead of ${JSON.stringify(state)}`);
      }
    }
    for (const streamNo of [...owner.replica.table.live.keys(), ...owner.replica.table.finished.keys()]) {
      if (!expected.has(streamNo)) throw new Violation(`a takeover at ${end} has ${streamNo}, which the log does not`);
    }
    // It goes on writing otherwise, to its copy.
    owner.stop();
    this.world.loop.kill(this.process);
  }
}
