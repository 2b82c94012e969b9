import { createHash } from 'node:crypto';
import { SignJWT } from 'jose';
import { StreamError } from '@rivulet/protocol';
import type { ErrorCode, OpenFacts } from '@rivulet/protocol';
import { Auth } from './auth';
import type { Credentials, Scope, Wanted } from './auth';
import type { Role } from './service-rows';

const OLD_KEY = new Uint8Array(32).fill(1);
const NEW_KEY = new Uint8Array(32).fill(2);
const HOUR_MS = 3_600_000;
const open: OpenFacts = {
  channel: 'room', contentType: 'text/plain', merge: 'text', class: 'interactive', leaseMs: 10_000, ttlMs: HOUR_MS, retentionMs: HOUR_MS,
  limits: { heldFragmentsMax: 64, heldBytesMax: 1, gapMsMax: 1, attemptsMax: 1, fragmentBytesMax: 1_000, streamBytesMax: 0 },
  judgeVersion: 1, metadata: {},
};
const clock = { now: 1_800_000_000_000 };
const facts = { streamNo: 's1', open, openedAt: clock.now };
const keyRow = (id: string, role: Role) => ({ id, role, sha256Hex: createHash('sha256').update(`rk_${id}_secret`).digest('hex') });

function auth(options: { isOn?: boolean; tokenKeys?: Uint8Array[]; tokenCacheMax?: number } = {}): Auth {
  return new Auth({
    isOn: true, tokenKeys: [NEW_KEY], tokenCacheMax: 100, now: () => clock.now, ...options,
    apiKeys: [keyRow('ops', 'operator'), keyRow('app', 'producer'), keyRow('eye', 'viewer')],
  });
}

async function codeOf(promise: Promise<unknown>): Promise<ErrorCode | 'fine'> {
  return promise.then(() => 'fine' as const, (error: unknown) => {
    if (error instanceof StreamError) return error.code;
    throw error;
  });
}
const bearer = (credential: string): Credentials => ({ authorization: `Bearer ${credential}` });

function may(subject: Auth, credentials: Credentials, wanted: Wanted): Promise<ErrorCode | 'fine'> {
  return codeOf(subject.authenticate(credentials).then((principal) => subject.authorize(principal, wanted)));
}

test('an API key is what its hash in the configuration says', async () => {
  expect(await auth().authenticate(bearer('rk_ops_secret'))).toEqual({ id: 'ops', role: 'operator' });
  for (const wrong of ['rk_ops_secreT', 'rk_nobody_secret', 'rk_ops', 'rk_', 'rk_app_ops_secret']) {
    expect(await codeOf(auth().authenticate(bearer(wrong)))).toBe('UNAUTHENTICATED');
  }
});

test.each<Credentials>([{}, { authorization: 'Basic abc' }, { authorization: 'Bearer' }, { authorization: 'Bearer a.b.c' }, { queryToken: 'x' }])(
  'what is no credential is UNAUTHENTICATED: %j',
  async (credentials) => { expect(await codeOf(auth().authenticate(credentials))).toBe('UNAUTHENTICATED'); },
);

test('a role may do what its row says and no more', async () => {
  const allowed: Record<string, string> = {};
  for (const id of ['ops', 'app', 'eye']) {
    const scopes: Scope[] = ['open', 'write', 'read', 'cancel', 'inspect', 'admin'];
    const outcomes = await Promise.all(scopes.map((scope) => may(auth(), bearer(`rk_${id}_secret`), { scope, streamNo: 's1' })));
    allowed[id] = scopes.filter((_, i) => outcomes[i] === 'fine').join(' ');
  }
  expect(allowed).toEqual({ ops: 'open write read cancel inspect admin', app: 'open write read cancel', eye: 'read inspect' });
});

test('[APPEND-12] a write token names stream and epoch, and is good for nothing else', async () => {
  const subject = auth();
  const token = await subject.mintWrite({ ...facts, epoch: 3 });
  const { claims } = await subject.authenticate(bearer(token));
  expect(claims).toMatchObject({ sub: 's1', e: 3, ct: 'text/plain', m: 'text', cls: 'interactive', lim: { fragmentBytesMax: 1_000, heldFragmentsMax: 64, heldBytesMax: 1 }, ch: 'room' });
  expect(await may(subject, bearer(token), { scope: 'write', streamNo: 's1' })).toBe('fine');
  expect(await may(subject, bearer(token), { scope: 'cancel', streamNo: 's1' })).toBe('fine');
  expect(await may(subject, bearer(token), { scope: 'write', streamNo: 's2' })).toBe('FORBIDDEN');
  expect(await may(subject, bearer(token), { scope: 'read', streamNo: 's1' })).toBe('FORBIDDEN');
  expect(await may(subject, bearer(token), { scope: 'open' })).toBe('FORBIDDEN');
});

test('[WATCH-8] a read token does not cancel, and does not open the channel of its stream', async () => {
  const subject = auth();
  const token = await subject.mintRead(facts);
  expect(await may(subject, { queryToken: token }, { scope: 'read', streamNo: 's1', channel: 'room' })).toBe('fine');
  expect(await may(subject, bearer(token), { scope: 'cancel', streamNo: 's1' })).toBe('FORBIDDEN');
  expect(await may(subject, bearer(token), { scope: 'read', streamNo: 's2', channel: 'room' })).toBe('FORBIDDEN');
  expect(await may(subject, bearer(token), { scope: 'read', channel: 'room' })).toBe('FORBIDDEN');
});

test('a channel token reads the channel and its streams, and no other', async () => {
  const subject = auth();
  const token = await subject.mintChannel('room', clock.now + HOUR_MS);
  expect(await may(subject, bearer(token), { scope: 'read', channel: 'room' })).toBe('fine');
  expect(await may(subject, bearer(token), { scope: 'read', streamNo: 's7', channel: 'room' })).toBe('fine');
  expect(await may(subject, bearer(token), { scope: 'read', streamNo: 's7', channel: '' })).toBe('FORBIDDEN');
  expect(await may(subject, bearer(token), { scope: 'read', channel: 'other' })).toBe('FORBIDDEN');
});

test('only read tokens are taken in the query', async () => {
  const subject = auth();
  expect(await codeOf(subject.authenticate({ queryToken: await subject.mintWrite({ ...facts, epoch: 1 }) }))).toBe('FORBIDDEN');
  expect(await codeOf(subject.authenticate({ queryToken: 'rk_ops_secret' }))).toBe('UNAUTHENTICATED');
});

test('[APPEND-6] an expired token is TOKEN_EXPIRED, past ttl + retention STREAM_GONE, also when it was verified before', async () => {
  const subject = auth();
  const token = await subject.mintWrite({ ...facts, epoch: 1 });
  expect(await codeOf(subject.authenticate(bearer(token)))).toBe('fine');
  try {
    clock.now += HOUR_MS + 1_000;
    for (const one of [subject, auth()]) expect(await codeOf(one.authenticate(bearer(token)))).toBe('TOKEN_EXPIRED');
    clock.now += HOUR_MS;
    for (const one of [subject, auth()]) expect(await codeOf(one.authenticate(bearer(token)))).toBe('STREAM_GONE');
  } finally {
    clock.now = facts.openedAt;
  }
});

test('two keys are valid during a rotation: the old one verifies, the new one signs', async () => {
  const before = auth({ tokenKeys: [OLD_KEY] });
  const during = auth({ tokenKeys: [NEW_KEY, OLD_KEY] });
  const after = auth({ tokenKeys: [NEW_KEY] });
  const old = await before.mintRead(facts);
  expect(await codeOf(during.authenticate(bearer(old)))).toBe('fine');
  expect(await codeOf(after.authenticate(bearer(old)))).toBe('UNAUTHENTICATED');
  expect(await codeOf(after.authenticate(bearer(await during.mintRead(facts))))).toBe('fine');
});

test('a token of another algorithm, without an expiry, altered, or with strange claims is refused', async () => {
  const none = `${Buffer.from('{"alg":"none"}').toString('base64url')}.${Buffer.from('{"sub":"s1","scope":"write","exp":9999999999}').toString('base64url')}.`;
  const eternal = await new SignJWT({ sub: 's1', scope: 'write' }).setProtectedHeader({ alg: 'HS256' }).sign(NEW_KEY);
  const strange = await new SignJWT({ sub: 's1', e: 'one', scope: 'write', exp: 9_999_999_999 }).setProtectedHeader({ alg: 'HS256' }).sign(NEW_KEY);
  const [head, body, signature] = (await auth().mintRead(facts)).split('.');
  const altered = `${head}.${Buffer.from(String(Buffer.from(body!, 'base64url')).replace('s1', 's2')).toString('base64url')}.${signature}`;
  for (const token of [none, eternal, strange, altered]) expect(await codeOf(auth().authenticate(bearer(token)))).toBe('UNAUTHENTICATED');
});

test('thousands who come back at once with one token cost one verification, good or not', async () => {
  const subject = auth();
  const token = await subject.mintRead(facts);
  const principals = await Promise.all(Array.from({ length: 2_000 }, () => subject.authenticate(bearer(token))));
  expect(new Set(principals).size).toBe(1);
  const bad = `${token.slice(0, -2)}xx`;
  const codes = await Promise.all(Array.from({ length: 50 }, () => codeOf(subject.authenticate(bearer(bad)))));
  expect(new Set(codes)).toEqual(new Set(['UNAUTHENTICATED']));
});

test('verified tokens are kept up to a bound, and garbage does not push them out', async () => {
  const subject = auth({ tokenCacheMax: 2 });
  const kept = await subject.mintRead(facts);
  const first = await subject.authenticate(bearer(kept));
  for (let i = 0; i < 5; i += 1) await codeOf(subject.authenticate(bearer(`garbage.${i}.x`)));
  expect(await subject.authenticate(bearer(kept))).toBe(first);
  for (let i = 0; i < 3; i += 1) await subject.authenticate(bearer(await subject.mintRead({ ...facts, streamNo: `other${i}` })));
  expect(await subject.authenticate(bearer(kept))).not.toBe(first);
});

test('with auth off nobody needs a credential, but one that is given must be good', async () => {
  const subject = auth({ isOn: false });
  expect(await may(subject, {}, { scope: 'admin' })).toBe('fine');
  expect(await codeOf(subject.authenticate(bearer('rk_ops_wrong')))).toBe('UNAUTHENTICATED');
});
