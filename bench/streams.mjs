// Opening streams for the benches: straight at the ingest, with the development key.
/** @returns {Promise<import('@rivulet/protocol').OpenedStream>} */
export async function openStream(system, options = {}) {
  const response = await fetch(`${system.urls.ingest}/v1/streams`, {
    method: 'POST',
    headers: { authorization: `Bearer ${system.apiKey}`, 'content-type': 'application/json' },
    body: JSON.stringify(options),
  });
  if (response.status !== 201) throw new Error(`open: ${response.status} ${await response.text()}`);
  return response.json();
}

export async function openStreams(system, count, options = {}, concurrency = 32) {
  const streams = new Array(count);
  let next = 0;
  await Promise.all(Array.from({ length: Math.min(concurrency, count) }, async () => {
    while (next < count) {
      const index = next++;
      streams[index] = await openStream(system, options);
    }
  }));
  return streams;
}

export const elapse = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
