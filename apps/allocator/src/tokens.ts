/** Under which Nest injects what has no class of its own. */
export const FRAME = Symbol('frame');
