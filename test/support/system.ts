/**
 * The system as real processes; see tools/system.cjs, which `npm start`, the demo and the benches use too.
 * Build first: it runs what is in dist.
 */
export { startSystem } from '../../tools/system.cjs';
export type { System } from '../../tools/system.cjs';
