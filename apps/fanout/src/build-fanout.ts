import { SUBPROTOCOLS, topicNames } from '@rivulet/protocol';
import type { Log } from '@rivulet/log';
import type { Frame } from '@rivulet/service';
import { buildOwners } from './build-owners';
import { CatchUp, CATCH_UP_MS } from './catch-up';
import type { FanoutConfig } from './config';
import { Delivery } from './delivery';
import { DeliveryMetrics } from './delivery-metrics';
import { Compressions } from './gzip-body';
import { KeepAlives } from './keep-alives';
import { NamedSessions } from './named-sessions';
import type { Owners } from './owners';
import { ScanTurns } from './scan-turns';
import { SharedFrames } from './shared-frames';
import { systemTime } from './time';
import { ViewCache } from './view-cache';
import { WatchSocket } from './watch-socket';
import type { CancelPort } from './watch-socket';

export const WATCH_SOCKET_PATH = '/v1/watch/ws';

/** The plain classes of fanout, wired. */
export interface Fanout {
  frame: Frame;
  log: Log;
  config: FanoutConfig;
  owners: Owners;
  delivery: Delivery;
}

/** @param allocator for cancels of readers; fanout is ready without it, since all else is */
export function buildFanout(frame: Frame, log: Log, config: FanoutConfig, allocator: CancelPort): Fanout {
  const { auth, streamNos, drain } = frame;
  const {
    viewBytesMax, coldScansMax, frameBytesMax, sessionStreamsMax, compressionsMax, streamSessionsMax, partitionSessionsMax, confirmMs,
  } = config;
  const views: ViewCache = new ViewCache({ bytesMax: viewBytesMax, onEvict: () => metrics.evicted() });
  const metrics = new DeliveryMetrics(frame.metrics, () => views.bytes);
  const { owners, replicas, cursors } = buildOwners(frame, log, config, views);
  const { fragments } = topicNames(config.topicPrefix);
  const turns = new ScanTurns({ log, topic: fragments, concurrentMax: coldScansMax, onScan: (bytes) => metrics.scanned(bytes) });
  const delivery = new Delivery({
    source: replicas, turns, metrics, auth, streamNos,
    frames: new SharedFrames((ageMs) => metrics.lagged(ageMs)),
    catchUp: new CatchUp(systemTime, CATCH_UP_MS),
    keepAlives: new KeepAlives(),
    sessions: new NamedSessions({ cursors, metrics, time: systemTime, limits: { streamSessionsMax, partitionSessionsMax, confirmMs } }),
    compressions: new Compressions(compressionsMax),
    limits: { frameBytesMax, sessionStreamsMax },
  });
  // Readers are told before partitions move: they come back with their cursors, to whoever owns the partition then.
  drain.add('sessions', 'readers', () => delivery.drain());
  frame.sockets.add(WATCH_SOCKET_PATH, (socket) => new WatchSocket(delivery, allocator, socket), {
    subprotocols: Object.values(SUBPROTOCOLS), compressionsMax,
  });
  return { frame, log, config, owners, delivery };
}
