export { rivulet, Rivulet } from './rivulet';
export type { RivuletOptions, RetryOptions } from './rivulet';
export { Producer } from './producer';
export type { ProducerOptions } from './producer';
export { Watching } from './watching';
export type { WatchOptions } from './watching';
export type { ChannelEvent, ChannelOptions, ChannelProblem } from './channel';
