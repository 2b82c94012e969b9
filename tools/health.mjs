// node tools/health.mjs URL: ends with 0 when the URL answers 200. For HEALTHCHECK, in images that have no curl.
const answer = await fetch(process.argv[2], { signal: AbortSignal.timeout(4000) }).catch((error) => error);
if (answer.status !== 200) {
  console.error(answer.status ? `${answer.status} ${await answer.text()}` : String(answer.cause ?? answer));
  process.exitCode = 1;
}
