import { startRivulet } from '@rivulet/standalone';

/** What the suite is run against: an installation anywhere (RIVULET_URL and RIVULET_KEY), or one of its own on the memory log. */
export interface Target {
  /** Base URL without a slash at its end. */
  url: string;
  apiKey: string;
}

/** Registers the start and the end of a file's target. @returns the target; it has its addresses once the tests run */
export function suiteTarget(): Target {
  const target: Target = { url: '', apiKey: '' };
  let found: Awaited<ReturnType<typeof findTarget>>;
  beforeAll(async () => {
    found = await findTarget();
    target.url = found.url;
    target.apiKey = found.apiKey;
  });
  afterAll(() => found?.stop());
  return target;
}

async function findTarget(): Promise<Target & { stop(): Promise<void> }> {
  const url = process.env['RIVULET_URL'];
  const apiKey = process.env['RIVULET_KEY'];
  if (url === undefined) return startRivulet({ env: { RIVULET_LOG_LEVEL: 'error', RIVULET_FANOUT_CONFIRM_MS: '500' } });
  if (apiKey === undefined) throw new Error('RIVULET_URL names an installation: RIVULET_KEY must hold an API key of it (role operator).');
  return { url: url.replace(/\/+$/, ''), apiKey, stop: async () => undefined };
}
