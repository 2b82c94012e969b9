import type { FetchPlace } from './kafka-fetch';
import { FetchSession } from './kafka-fetch-session';

const place = (partition: number, from: number, topic = 't', leaderEpoch = 3): FetchPlace => ({ topic, partition, leaderEpoch, from, bytesMax: 1000 });

/** A session that the broker has opened with these places. */
function open(...places: FetchPlace[]): FetchSession {
  const session = new FetchSession();
  session.begin(places);
  session.answered(7);
  return session;
}

test('the first request is a full one, and those after it name only what is new or has moved', () => {
  const session = new FetchSession();
  const places = [place(0, 5), place(1, 9)];
  expect(session.begin(places)).toEqual({ sessionId: 0, sessionEpoch: 0, places, forgotten: [] });
  session.answered(7);
  expect(session.begin(places)).toEqual({ sessionId: 7, sessionEpoch: 1, places: [], forgotten: [] });
  session.answered(7);
  const moved = [place(0, 5), place(1, 12), place(2, 0)];
  expect(session.begin(moved)).toEqual({ sessionId: 7, sessionEpoch: 2, places: moved.slice(1), forgotten: [] });
  expect([...session.known.values()]).toEqual(moved);
});

test('[KAFKA-27] a leader that was elected anew is told its new epoch, or it would refuse the partition for ever', () => {
  const session = open(place(0, 5), place(1, 9));
  const again = place(1, 9, 't', 4);
  expect(session.begin([place(0, 5), again])).toMatchObject({ places: [again], forgotten: [] });
});

test('what is not wanted any more is forgotten once, and named again when it comes back', () => {
  const session = open(place(0, 5), place(1, 9, 'a/b'));
  expect(session.begin([place(0, 5)])).toMatchObject({ places: [], forgotten: [{ topic: 'a/b', partition: 1 }] });
  session.answered(7);
  expect(session.begin([place(0, 5), place(1, 9, 'a/b')])).toMatchObject({ places: [place(1, 9, 'a/b')], forgotten: [] });
});

test('after trouble the next request is a full one', () => {
  const session = open(place(0, 5));
  session.reset();
  expect(session.begin([place(0, 5)])).toEqual({ sessionId: 0, sessionEpoch: 0, places: [place(0, 5)], forgotten: [] });
});

test('a broker that keeps no session is asked for everything each time', () => {
  const session = new FetchSession();
  for (let i = 0; i < 2; i += 1) {
    expect(session.begin([place(0, 5)])).toEqual({ sessionId: 0, sessionEpoch: 0, places: [place(0, 5)], forgotten: [] });
    session.answered(0);
  }
});

test('a full request that failed is followed by one that names everything again and forgets nothing', () => {
  const session = new FetchSession();
  session.begin([place(0, 5), place(1, 9)]);
  expect(session.begin([place(0, 5)])).toEqual({ sessionId: 0, sessionEpoch: 0, places: [place(0, 5)], forgotten: [] });
  expect([...session.known.values()]).toEqual([place(0, 5)]);
});
