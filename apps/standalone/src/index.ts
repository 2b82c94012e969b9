export { startRivulet } from './start-rivulet';
export type { RivuletFaults, RunningRivulet, StartOptions } from './start-rivulet';
export { banner } from './banner';
export { standaloneProcessRows, standaloneRows, STANDALONE_PREFIX } from './config';
