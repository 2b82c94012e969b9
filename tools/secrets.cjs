'use strict';
// Keys and secrets of one installation, as environment variables.
// Printed when run by itself: `node tools/secrets.cjs > .env` for docker compose.
const { createHash, randomBytes } = require('node:crypto');
const fs = require('node:fs');
const path = require('node:path');

/**
 * @typedef {{ RIVULET_API_KEYS: string, RIVULET_STREAM_NO_KEYS: string, RIVULET_TOKEN_KEYS: string, RIVULET_SERVICE_TOKEN: string,
 *   RIVULET_PLUGINS_CONFIG_KEY: string, RIVULET_START_API_KEY: string }} Secrets
 */

/** @returns {Secrets} RIVULET_START_API_KEY is the key itself, for people; the services get only its hash */
function makeSecrets() {
  const apiKey = `rk_local_${randomBytes(24).toString('base64url')}`;
  return {
    RIVULET_API_KEYS: `local:operator:${createHash('sha256').update(apiKey).digest('hex')}`,
    RIVULET_STREAM_NO_KEYS: randomBytes(32).toString('hex'),
    RIVULET_TOKEN_KEYS: randomBytes(32).toString('hex'),
    RIVULET_SERVICE_TOKEN: randomBytes(32).toString('hex'),
    RIVULET_PLUGINS_CONFIG_KEY: randomBytes(32).toString('hex'),
    RIVULET_START_API_KEY: apiKey,
  };
}

/** @param {Secrets} secrets */
const format = (secrets) => Object.entries(secrets).map(([name, value]) => `${name}=${value}\n`).join('');

/**
 * The secrets of a file, made once: streamNos and tokens of yesterday stay valid.
 * @param {string} file
 * @returns {Secrets}
 */
function keepSecrets(file) {
  if (!fs.existsSync(file)) {
    fs.mkdirSync(path.dirname(file), { recursive: true });
    fs.writeFileSync(file, format(makeSecrets()), { mode: 0o600 });
  }
  // A file of before there was this one.
  const added = 'RIVULET_PLUGINS_CONFIG_KEY';
  if (!fs.readFileSync(file, 'utf8').includes(`${added}=`)) fs.appendFileSync(file, `${added}=${makeSecrets()[added]}\n`);
  const lines = fs.readFileSync(file, 'utf8').split('\n').filter((line) => /^\w+=/.test(line));
  const kept = Object.fromEntries(lines.map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]));
  const missing = Object.keys(makeSecrets()).filter((name) => !kept[name]);
  if (missing.length > 0) throw new Error(`${file} lacks ${missing.join(', ')}; delete it to have new ones made`);
  return /** @type {Secrets} */ (kept);
}

if (require.main === module) process.stdout.write(format(makeSecrets()));
module.exports = { keepSecrets, makeSecrets };
