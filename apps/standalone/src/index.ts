export { startStandalone } from './standalone';
export type { Standalone, StandaloneOptions } from './standalone';
export { banner } from './banner';
export { standaloneProcessRows, standaloneRows, STANDALONE_PREFIX } from './config';
