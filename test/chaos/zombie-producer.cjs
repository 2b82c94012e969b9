'use strict';
// A producer in a process of its own, so that it can be stopped by SIGSTOP and wake up when another one has taken its stream over.
// Runs from dist: what it prints goes to its parent over IPC.
const { rivulet } = require('@rivulet/client');
const { payloadText } = require('./payload.cjs');

/** @type {{ url: string, token: string, label: string, fragments: number, intervalMs: number, open: object }} */
const options = JSON.parse(/** @type {string} */ (process.argv[2]));
const tell = (/** @type {object} */ message) => process.send?.(message);
process.on('disconnect', () => process.exit(0));

async function main() {
  const producer = await rivulet({ url: options.url, token: options.token }).open(options.open);
  tell({ streamNo: producer.streamNo });
  for (let sequence = 1; sequence <= options.fragments; sequence++) {
    await producer.write(payloadText(options.label, 1, sequence));
    void producer.flush().then(() => tell({ acknowledged: sequence }), () => undefined);
    await new Promise((resolve) => setTimeout(resolve, options.intervalMs));
  }
  await producer.flush();
  tell({ isUnfenced: true });
}

main().catch((error) => tell({ refused: error.code ?? String(error) })).finally(() => process.disconnect());
