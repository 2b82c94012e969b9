export { FANOUT_PREFIX, fanoutProcessRows, fanoutRows, readFanoutConfig } from './config';
export type { FanoutConfig } from './config';
export { buildFanout } from './build-fanout';
export type { Fanout } from './build-fanout';
export { FanoutModule } from './module';
