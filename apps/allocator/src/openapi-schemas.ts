import { ERRORS } from '@rivulet/protocol';

/** A JSON Schema (2020-12), or any other node of the document. */
export type Node = Record<string, unknown>;

export const text: Node = { type: 'string' };
export const whole: Node = { type: 'integer', minimum: 0 };
export const ms: Node = { type: 'integer', description: 'Milliseconds since the epoch.' };
export const span: Node = { type: 'integer', minimum: 0, description: 'Milliseconds.' };
export const metadata: Node = { type: 'object', additionalProperties: true };
export const streamNo: Node = { type: 'string', pattern: '^[0-9abcdefghjkmnpqrstvwxyz]{32}$', description: 'Issued by this system; never made up.' };
export const sessionName: Node = { type: 'string', pattern: '^[A-Za-z0-9_.~:@-]{1,128}$' };
export const status: Node = { enum: ['open', 'lost', 'ended', 'failed', 'cancelled', 'expired', 'deleted'] };
export const merge: Node = { enum: ['text', 'bytes', 'json', 'latest'] };
export const streamClass: Node = { enum: ['interactive', 'bulk'] };
export const cursor: Node = { type: 'string', description: '`epoch.sequence`, or `epoch.sequence.f` for the final event. Opaque to applications.' };
const limits: Node = {
  heldFragmentsMax: whole, heldBytesMax: whole, gapMsMax: span, attemptsMax: whole, fragmentBytesMax: whole,
  streamBytesMax: { ...whole, description: '0: no limit.' },
};

export const reference = (name: string): Node => ({ $ref: `#/components/schemas/${name}` });
export const listOf = (items: Node): Node => ({ type: 'array', items });
export const orNull = (schema: Node): Node => ({ anyOf: [schema, { type: 'null' }] });

/** @param optional names of the properties that may be absent */
export function shape(properties: Node, optional: readonly string[] = [], description?: string): Node {
  const required = Object.keys(properties).filter((name) => !optional.includes(name));
  return { type: 'object', properties, ...(required.length > 0 ? { required } : {}), ...(description ? { description } : {}) };
}

export const allOptional = (properties: Node, description?: string): Node => shape(properties, Object.keys(properties), description);

export const fragmentIn: Node = {
  seq: { ...whole, minimum: 1 }, data: { description: 'A string on text streams, any JSON value on json and latest streams.' },
  base64: { type: 'string', contentEncoding: 'base64' }, lane: text,
};
const summary: Node = {
  streamNo, status, channel: text, contentType: text, merge, class: streamClass, epoch: whole, sequence: whole, bytes: whole,
  checksum: whole, openedAt: ms, updatedAt: ms, attempts: listOf(reference('Attempt')), final: orNull(reference('FinalFacts')), metadata, sessions: whole,
};
export const finalFacts: Node = {
  status, reason: text, message: text, epoch: whole, sequence: whole, bytes: whole, checksum: { ...whole, description: 'CRC-32 of the content.' },
  digest: { type: 'string', description: 'SHA-256 in hex as the producer gave it, or empty.' }, metadata, at: ms,
};

/** Bodies of libs/protocol/src/wire.ts. */
const release = { version: text, digest: { ...text, description: 'SHA-256 of the package.' }, bytes: whole, by: text, at: ms };

export const schemas: Node = {
  OpenOptions: allOptional({
    channel: { type: 'string', pattern: '^[A-Za-z0-9_.~:@-]{1,128}$' }, contentType: { ...text, default: 'text/plain; charset=utf-8' },
    merge: { ...merge, description: 'Default by contentType: text/* text, application/json json, else bytes.' },
    class: { ...streamClass, default: 'interactive' }, leaseMs: { ...span, minimum: 1_000 }, ttlMs: { ...span, minimum: 1_000 },
    retentionMs: span, limits: allOptional(limits), metadata,
  }),
  OpenedStream: shape({
    streamNo, epoch: whole, writeToken: text, readToken: text,
    links: shape({ append: text, end: text, events: text, content: text, state: text }),
  }),
  TokenBody: allOptional({
    streamNo, channel: text, scope: { enum: ['read', 'cancel', 'read cancel'], default: 'read' }, ttlMs: { ...span, default: 3_600_000 },
  }, 'One of streamNo and channel; cancel only with streamNo.'),
  IssuedToken: shape({ token: text, expiresAt: ms }),
  FragmentIn: allOptional(fragmentIn, 'Exactly one of data and base64.'),
  AppendBody: allOptional({ ...fragmentIn, fragments: listOf(reference('FragmentIn')) }, 'One fragment, or fragments.'),
  AppendAck: {
    oneOf: [shape({ from: whole, to: whole }), shape({ count: whole })],
    description: 'Durable. {count} when the fragments were not numbered.',
  },
  EndBody: allOptional({ lastSeq: whole, checksum: whole, digest: text, metadata }),
  AbortBody: shape({ code: text, message: text }, ['message']),
  CancelBody: allOptional({ reason: text }),
  RetryBody: shape({ attemptId: { ...text, minLength: 1 }, keep: { enum: ['all', 'none'], default: 'all' }, reason: text }, ['keep', 'reason']),
  RetriedStream: shape({ streamNo, epoch: whole, writeToken: text, next: whole, bytes: whole, checksum: whole }),
  VerdictReply: shape({
    streamNo, status: { enum: [...(status['enum'] as string[]), 'PENDING'] }, sequence: whole, bytes: whole, checksum: whole,
  }),
  Attempt: shape({
    epoch: whole, attemptId: text, firstSequence: whole, keep: { enum: ['all', 'none'] }, reason: text,
    outcome: orNull({ enum: ['superseded', 'open', 'ended', 'failed', 'cancelled', 'expired'] }), startedAt: ms,
  }),
  FinalFacts: shape({ ...finalFacts, offset: whole }),
  AckBody: shape({ session: sessionName, cursor }, [], 'Cumulative: everything up to the cursor.'),
  ConfirmedReply: shape({ streamNo, session: sessionName, cursor: { ...cursor, description: 'The furthest the session ever confirmed.' } }),
  ConfirmedCursor: shape({ session: sessionName, cursor, confirmedAt: ms, isFinal: { type: 'boolean', description: 'It has the end of the stream too.' } }),
  StreamSummary: shape({ ...summary, confirmed: listOf(reference('ConfirmedCursor')) }, ['sessions', 'confirmed']),
  AdminStreamPage: shape({ streams: listOf(reference('StreamSummary')), next: orNull(text) }),
  AdminStream: shape({
    ...summary, openedBy: { ...text, description: 'Id of the API key it counts for; empty for a stream that is older than quotas.' },
    partition: whole, openedOffset: whole, claim: whole, foldedOffset: whole, lifecycleOffset: whole,
    checkpointOffset: orNull(whole),
    positions: whole, verdicts: listOf(reference('Verdict')), leaseMs: span, ttlMs: span, retentionMs: span, limits: shape(limits),
  }, ['sessions']),
  AdminPartitions: listOf(shape({
    partition: whole, class: streamClass, openStreams: whole,
    owner: orNull(shape({ instance: text, address: text, claim: whole, replayFrom: whole })),
  })),
  Verdict: shape({
    offset: whole, kind: { enum: ['open', 'end', 'abort', 'retry', 'cancel'] }, outcome: { enum: ['accepted', 'pending', 'refused'] },
    code: text, attemptId: text,
  }, ['code', 'attemptId']),
  PluginAsk: allOptional({ channel: text, input: { description: 'Whatever the plugin takes.' }, metadata }),
  PluginAccepted: shape({ streamNo, readToken: text }),
  PluginRows: listOf(shape({
    host: text, plugin: text, version: text, digest: text, packageDigest: { ...text, description: 'SHA-256 of the package; empty unless it is installed.' },
    state: { ...text, description: 'fetching, verifying, starting, running, disabled, or the code of the fault.' },
    fault: orNull(shape({
      code: { ...text, description: 'docs/PLUGINS.md says what each means.' }, detail: text, remedy: text, field: text, nextAt: ms,
    }, ['field', 'nextAt'])),
    restarts: whole, note: { ...orNull(text), description: 'A version that is tried on one host first, or was taken back, and why.' },
    config: { enum: ['stored', 'environment', 'none'], description: 'Where its configuration comes from.' },
    at: { ...ms, description: 'When the host said so, by its clock.' },
    heardAt: { ...ms, description: 'When the last report of the host came to the one that answers, by the clock of that one.' },
  })),
  InstalledPackage: shape({ name: text, version: text, digest: text, bytes: whole }),
  PluginRelease: shape(release),
  InstalledPlugin: shape({
    name: text, ...release, isEnabled: { type: 'boolean' }, previous: orNull(reference('PluginRelease')),
    rollout: { ...orNull(shape({ ...release, host: text })), description: 'A newer version, on one host until it has proved itself there.' },
    refused: { ...orNull(shape({ ...release, host: text, code: text, detail: text, refusedAt: ms })), description: 'The newest version that was taken back, where it failed, and why.' },
  }),
  InstalledPlugins: listOf(reference('InstalledPlugin')),
  PluginEnabling: shape({ isEnabled: { type: 'boolean' } }),
  PluginEnabled: shape({ name: text, isEnabled: { type: 'boolean' } }),
  PluginConfig: shape({
    name: text, source: { enum: ['stored', 'environment', 'none'] }, settings: { description: 'With `[secret]` in place of each secret.' },
    secrets: { ...listOf(text), description: 'Fields that are secret.' }, keyIds: { ...listOf(text), description: 'Of the keys they are encrypted with.' },
    by: orNull(text), at: orNull(ms),
  }),
  PluginOpen: shape({ channel: text, by: text, metadata }),
  PluginDecision: shape({ allow: { type: 'boolean' }, metadata, code: text, text }, ['metadata', 'code', 'text']),
  PluginAnswers: listOf(shape({
    host: text, at: ms, streamNo, plugin: text, channel: text, state: { enum: ['waiting', 'answering'] }, epoch: whole, startedAt: ms,
    done: { type: 'number' }, total: { type: 'number' }, note: text,
  }, ['done', 'total', 'note'])),
  PluginLog: shape({ host: text, plugin: text, lines: listOf(shape({ at: ms, line: text })) }),
  StreamEvent: shape({
    type: { const: 'stream' }, streamNo, status, epoch: whole, attempt: whole, contentType: text, merge, channel: text, metadata,
    confirmed: { ...orNull(cursor), description: 'To a named session: what it has confirmed.' },
  }, ['confirmed']),
  ProbeEvent: shape({ type: { const: 'probe' }, streamNo, confirmed: orNull(cursor) }),
  FragmentEvent: shape({
    type: { const: 'fragment' }, streamNo, from: whole, to: whole, cursor, lane: text, text, base64: text, items: listOf({}),
  }, ['lane', 'text', 'base64', 'items']),
  RewindEvent: shape({ type: { const: 'rewind' }, streamNo, epoch: whole, cursor }),
  LostEvent: shape({ type: { const: 'lost' }, streamNo }),
  ResumedEvent: shape({ type: { const: 'resumed' }, streamNo }),
  FinalEvent: shape({ type: { const: 'final' }, streamNo, ...finalFacts, cursor }),
  ResetEvent: shape({ type: { const: 'reset' }, reason: { enum: ['now', 'wide', 'gone'] }, streams: listOf(shape({ streamNo, cursor })) }),
  Readiness: shape({
    app: text, instance: text, ready: { type: 'boolean' },
    checks: { type: 'object', additionalProperties: shape({ ready: { type: 'boolean' }, why: text }, ['why']) },
  }),
  Problem: {
    ...shape({
      type: text, title: text, status: whole, code: { enum: Object.keys(ERRORS) }, detail: text,
      next: { enum: ['retry', 'resume', 'stop'] }, requestId: text, retryAfterMs: span,
    }, ['requestId', 'retryAfterMs'], 'RFC 9457. Match `code`, never text.'),
    additionalProperties: true,
  },
};
