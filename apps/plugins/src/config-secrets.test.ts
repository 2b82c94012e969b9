import { randomBytes } from 'node:crypto';
import { ConfigSecrets, keyIdOf, mapSealed } from './config-secrets';

const [first, second] = [randomBytes(32), randomBytes(32)];
const settings = { url: 'https://a.example', key: 'abcdefgh', list: [{ key: 'ijklmnop', n: 1 }], byName: { a: 'qrstuvwx' } };
const FIELDS = ['key', 'list.*.key', 'byName.*', 'absent.key'];

test('secrets are encrypted where they are, and come back as they were', () => {
  const secrets = new ConfigSecrets([first]);
  const sealed = secrets.seal('p', settings, FIELDS);
  const text = JSON.stringify(sealed);
  expect(['abcdefgh', 'ijklmnop', 'qrstuvwx'].filter((one) => text.includes(one))).toEqual([]);
  expect(sealed).toMatchObject({ url: 'https://a.example', list: [{ n: 1 }], key: { $secret: 'aes-256-gcm', keyId: keyIdOf(first) } });
  expect(secrets.open('p', sealed)).toEqual(settings);
  expect(secrets.open('p', secrets.seal('p', 'all of it', ['']))).toBe('all of it');
  // The same secret twice is not seen to be the same.
  expect(secrets.seal('p', settings, FIELDS)).not.toEqual(sealed);
});

test('a rotation: the first key encrypts, all decrypt; without the key it says which one is missing', () => {
  const old = new ConfigSecrets([first]).seal('p', settings, FIELDS);
  expect(new ConfigSecrets([second, first]).open('p', old)).toEqual(settings);
  expect(new ConfigSecrets([second, first]).seal('p', settings, ['key'])).toMatchObject({ key: { keyId: keyIdOf(second) } });
  expect(() => new ConfigSecrets([second]).open('p', old)).toThrow(`key is encrypted with the key ${keyIdOf(first)}, which this host does not have`);
});

test('what was changed, or moved to another field or plugin, is not decrypted', () => {
  const secrets = new ConfigSecrets([first]);
  const sealed = secrets.seal('p', settings, FIELDS) as typeof settings;
  expect(() => secrets.open('q', sealed)).toThrow('cannot be decrypted');
  expect(() => secrets.open('p', { ...sealed, byName: { a: sealed.key } })).toThrow('byName.a cannot be decrypted');
  const changed = mapSealed(sealed, (one) => ({ ...one, text: Buffer.from('other').toString('base64') }));
  expect(() => secrets.open('p', changed)).toThrow('cannot be decrypted');
});
