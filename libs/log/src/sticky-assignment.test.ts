import fc from 'fast-check';
import { assignSticky } from './sticky-assignment';

const all = Array.from({ length: 8 }, (_, partition) => partition);

test('[OWN-1] a new member takes only what is its share, and nothing else moves', () => {
  const assigned = assignSticky(all, [{ id: 'a', had: all, round: 1 }, { id: 'b', had: [], round: 0 }]);
  expect(assigned).toEqual(new Map([['a', [0, 1, 2, 3]], ['b', [4, 5, 6, 7]]]));
});

test('[OWN-1] what a member left behind goes to the others, who keep what they had', () => {
  const assigned = assignSticky(all, [{ id: 'a', had: [0, 1, 2], round: 4 }, { id: 'b', had: [5, 6, 7], round: 4 }]);
  expect(assigned.get('a')).toEqual(expect.arrayContaining([0, 1, 2]));
  expect(assigned.get('b')).toEqual(expect.arrayContaining([5, 6, 7]));
});

test('[OWN-1] of two members that claim the same partition the later round is right', () => {
  const assigned = assignSticky([0, 1], [{ id: 'stale', had: [0], round: 3 }, { id: 'current', had: [0], round: 9 }]);
  expect(assigned).toEqual(new Map([['stale', [1]], ['current', [0]]]));
});

test('[OWN-1] every partition has one owner, shares differ by at most one, and an even assignment is left as it is', () => {
  const member = fc.record({ had: fc.uniqueArray(fc.nat(40)), round: fc.nat(5) });
  fc.assert(fc.property(fc.nat(40), fc.array(member, { minLength: 1, maxLength: 7 }), (count, claims) => {
    const partitions = Array.from({ length: count }, (_, partition) => partition);
    const members = claims.map((claim, index) => ({ id: `m${index}`, ...claim }));
    const assigned = assignSticky(partitions, members);
    expect([...assigned.values()].flat().sort((a, b) => a - b)).toEqual(partitions);
    const sizes = [...assigned.values()].map((list) => list.length);
    expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
    const again = assignSticky(partitions, members.map(({ id }) => ({ id, had: assigned.get(id)!, round: 6 })));
    expect(again).toEqual(assigned);
  }));
});
