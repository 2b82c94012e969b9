import { platform as browser } from './platform-browser';
import { platform as node } from './platform-node';

const content = Buffer.from('the browser and Node agree: 红楼梦 🌊'.repeat(500));

test('both platforms give the same CRC-32, SHA-256 and base64', async () => {
  for (const platform of [browser, node]) {
    const digest = platform.createDigest();
    digest.update(content.subarray(0, 100));
    digest.update(content.subarray(100));
    expect(await digest.hex()).toBe('adcaa9d16470402b74ff4f5ff71ff61d6feb923c5e087c69f45da2d06d457517');
    expect(platform.crc32(content.subarray(100), platform.crc32(content.subarray(0, 100), 0))).toBe(node.crc32(content, 0));
    expect(platform.toBase64(content)).toBe(content.toString('base64'));
    expect(Buffer.from(platform.fromBase64(content.toString('base64'))).equals(content)).toBe(true);
  }
});

test('a browser does not keep more than it may for the digest', async () => {
  const digest = browser.createDigest();
  for (let n = 0; n < 17; n += 1) digest.update(new Uint8Array(1024 * 1024));
  expect(await digest.hex()).toBeNull();
});
