export { startRivulet } from './start-rivulet';
export type { RivuletFaults, RunningRivulet, StartOptions } from './start-rivulet';
export type { AskedStream, AskOptions, PluginOptions, PluginStatus } from './plugins';
export { banner } from './banner';
export { standaloneProcessRows, standaloneRows, STANDALONE_PREFIX } from './config';
