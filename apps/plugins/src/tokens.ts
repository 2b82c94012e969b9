/** For Nest: what buildPlugins gave. */
export const BUILT = Symbol('built-plugins');
