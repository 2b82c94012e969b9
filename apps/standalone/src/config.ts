import { createHash, randomBytes } from 'node:crypto';
import { readAllocatorConfig } from '@rivulet/allocator';
import type { AllocatorConfig } from '@rivulet/allocator';
import { readFanoutConfig } from '@rivulet/fanout';
import type { FanoutConfig } from '@rivulet/fanout';
import { readIngestConfig } from '@rivulet/ingest';
import type { IngestConfig } from '@rivulet/ingest';
import { integerRow, readConfig, serviceRows } from '@rivulet/service';
import type { ConfigOf } from '@rivulet/service';

/** Rows of standalone; each of the three apps inside reads its own from the same environment. */
export const standaloneRows = {
  standalonePort: integerRow({ env: 'RIVULET_STANDALONE_PORT', fallback: 7100, min: 0, max: 65_535, doc: 'The one port of all three apps. 0: any free one.' }),
} as const;

export const standaloneProcessRows = { ...serviceRows, ...standaloneRows } as const;
export const STANDALONE_PREFIX = 'RIVULET_STANDALONE_';

export interface StandaloneConfigs {
  own: ConfigOf<typeof standaloneProcessRows>;
  allocator: AllocatorConfig;
  ingest: IngestConfig;
  fanout: FanoutConfig;
}

/** @throws ConfigError with every problem of the first app that has some */
export function readStandaloneConfigs(env: NodeJS.ProcessEnv): StandaloneConfigs {
  return {
    own: readConfig(standaloneProcessRows, env, STANDALONE_PREFIX),
    allocator: readAllocatorConfig(env),
    ingest: readIngestConfig(env),
    fanout: readFanoutConfig(env),
  };
}

/** A key for everything, as random as any; it lives as long as the process. */
export function developmentKey(): { apiKey: string; row: string } {
  const apiKey = `rk_dev_${randomBytes(18).toString('base64url')}`;
  return { apiKey, row: `dev:operator:${createHash('sha256').update(apiKey).digest('hex')}` };
}
