import { startRivulet } from '@rivulet/standalone';
import { Raw } from '../conformance/raw';
import { describeInBrowser, startBrowser } from '../support/browser';
import { CuttingProxy } from '../support/cutting-proxy';
import { eventually } from '../support/eventually';

describeInBrowser('a channel', (path) => {
  test('[WATCH-12] a plain EventSource on a channel whose connection drops again and again gets everything once, in order', () => drops(path));
});

interface Seen { streamNo: string; type: string; from: number; to: number; text: string }

async function drops(executablePath: string): Promise<void> {
  // An EventSource can send no API key: this one needs none.
  const system = await startRivulet({ env: { RIVULET_LOG_LEVEL: 'error', RIVULET_AUTH: 'off' } });
  const proxy = await CuttingProxy.before(system.url);
  const browser = await startBrowser(executablePath);
  try {
    const page = await browser.newPage();
    await page.goto(proxy.url);
    await page.evaluate(() => {
      const seen: unknown[] = [];
      const source = new EventSource('/v1/watch/channels/drops/events');
      for (const type of ['stream', 'fragment', 'final', 'reset', 'problem']) {
        source.addEventListener(type, (event) => seen.push({ type, ...JSON.parse((event as unknown as { data: string }).data) }));
      }
      Object.assign(globalThis, { seen });
    });
    const seen = () => page.evaluate(() => (globalThis as unknown as { seen: Seen[] }).seen);
    const raw = new Raw(system);
    const written = new Map<string, string>();
    for (let round = 0; round < 4; round += 1) {
      const [first, second] = [await raw.open({ channel: 'drops' }), await raw.open({ channel: 'drops', class: 'bulk' })];
      for (let seq = 1; seq <= 30; seq += 1) {
        for (const stream of [first, second]) await raw.append(stream, { seq, data: `${round}.${seq} ` });
        // Also in the middle of a stream, and while the browser still waits to come back.
        if (seq === 10) proxy.cut();
      }
      for (const stream of [first, second]) written.set(stream.streamNo, Array.from({ length: 30 }, (_, at) => `${round}.${at + 1} `).join(''));
      await eventually(async () => {
        const events = await seen();
        expect(events.filter(({ streamNo, to }) => streamNo === first.streamNo && to >= 10)).not.toEqual([]);
      });
      for (const stream of [second, first]) await raw.verdict(stream, 'end', { lastSeq: 30 });
    }
    await eventually(async () => expect((await seen()).filter(({ type }) => type === 'final')).toHaveLength(written.size));
    const events = await seen();
    expect(events.filter(({ type }) => type === 'reset' || type === 'problem')).toEqual([]);
    // Told anew on a new connection.
    expect(events.filter(({ type }) => type === 'stream').length).toBeGreaterThan(written.size);
    for (const [streamNo, text] of written) {
      const fragments = events.filter((event) => event.streamNo === streamNo && event.type === 'fragment');
      expect(fragments.map((one) => one.text).join('')).toBe(text);
      for (const [index, { from }] of fragments.entries()) expect(from).toBe((fragments[index - 1]?.to ?? 0) + 1);
    }
  } finally {
    await browser.close();
    await proxy.stop();
    await system.stop();
  }
}
