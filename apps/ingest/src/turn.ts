/** How often a connection that is held back is looked at, ms. */
const LOOK_MS = 500;

/**
 * [APPEND-13] Waits for the turn of a body that is over its quota; meanwhile it is not read.
 * @param heldBack told twice a second: its silence is our doing, so it must not cost the producer its lease or its connection
 * @param isOver whether nobody waits any more
 */
export async function turn(waitMs: number, heldBack: () => void, isOver: () => boolean): Promise<void> {
  const due = performance.now() + waitMs;
  for (let left = waitMs; left > 0 && !isOver(); left = due - performance.now()) {
    await new Promise((resolve) => setTimeout(resolve, Math.min(left, LOOK_MS)));
    heldBack();
  }
}
