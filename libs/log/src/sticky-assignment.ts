/** What a member of the group says of itself when it joins. */
export interface MemberClaim {
  id: string;
  /** Partitions of its last assignment. */
  had: readonly number[];
  /** The assignment round `had` comes from: of two members that claim the same partition the later round is right [OWN-1]. */
  round: number;
}

/**
 * Shares partitions out evenly (counts differ by at most one) and moves as few as possible. Deterministic in its arguments.
 * @returns member id → partitions, ascending
 */
export function assignSticky(partitions: readonly number[], members: readonly MemberClaim[]): Map<string, number[]> {
  const assigned = new Map<string, number[]>(members.map((member) => [member.id, []]));
  if (members.length === 0) return assigned;
  const claimants = [...members].sort((a, b) => b.round - a.round || compare(a.id, b.id));
  const free = new Set(partitions);
  const least = Math.floor(partitions.length / members.length);
  let above = partitions.length % members.length; // how many members may have one more than the least
  const owner = new Map<number, string>();
  for (const member of claimants) {
    for (const partition of member.had) if (free.has(partition) && !owner.has(partition)) owner.set(partition, member.id);
  }
  for (const member of byCount(claimants, owner)) {
    const kept = [...partitions].filter((partition) => owner.get(partition) === member.id);
    const quota = kept.length > least && above > 0 ? least + 1 : least;
    if (kept.length > least && above > 0) above -= 1;
    for (const partition of kept.slice(0, quota)) {
      assigned.get(member.id)!.push(partition);
      free.delete(partition);
    }
  }
  // What is left goes to whoever has least.
  for (const partition of free) {
    const member = claimants.reduce((a, b) => (assigned.get(b.id)!.length < assigned.get(a.id)!.length ? b : a));
    assigned.get(member.id)!.push(partition);
  }
  for (const list of assigned.values()) list.sort((a, b) => a - b);
  return assigned;
}

/** Those who hold most come first, so that the places above the least go to them and nothing moves needlessly. */
function byCount(members: MemberClaim[], owner: Map<number, string>): MemberClaim[] {
  const counts = new Map<string, number>();
  for (const id of owner.values()) counts.set(id, (counts.get(id) ?? 0) + 1);
  return [...members].sort((a, b) => (counts.get(b.id) ?? 0) - (counts.get(a.id) ?? 0) || compare(a.id, b.id));
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
