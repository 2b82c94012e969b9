import { isUtf8 } from 'node:buffer';
import { StreamError } from '@rivulet/protocol';
import type { FragmentIn } from '@rivulet/protocol';
import type { FragmentRules, FragmentRun } from './append-entry';

/** Fragments of one JSON body or WebSocket frame. */
const FRAGMENTS_MAX = 10_000;
/**
 * A run becomes one log record, so it stays well below the broker's limit of a message. The count is the judge's usual `heldFragmentsMax`
 * times four: a larger pack would rarely be held whole when it overtakes another connection's.
 */
const RUN_BYTES_MAX = 256 * 1024;
const RUN_FRAGMENTS_MAX = 256;
const LANE_LENGTH_MAX = 64;
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/**
 * JSON (a body, an NDJSON line, a WebSocket frame) → runs. The only conversion: what comes out goes into the log as it is.
 * @param body `{seq?, data | base64, lane?}` or `{seq?, fragments: [...]}`, where the first fragment's seq (or the body's) numbers all
 * @throws StreamError BODY_INVALID with the place, UTF8_INVALID, FRAGMENT_TOO_LARGE
 */
export function parseJsonAppend(body: unknown, rules: FragmentRules): FragmentRun[] {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) throw invalid('', 'is not a JSON object');
  const { fragments, seq } = body as { fragments?: unknown; seq?: unknown };
  if (fragments === undefined) return [parseFragment(body, rules)];
  if ('data' in body || 'base64' in body) throw invalid('fragments', 'cannot stand beside data or base64');
  if (!Array.isArray(fragments) || fragments.length === 0) throw invalid('fragments', 'is not a list of at least one fragment');
  if (fragments.length > FRAGMENTS_MAX) throw invalid('fragments', `has ${fragments.length} entries; at most ${FRAGMENTS_MAX} fit one body`);
  const packer = new RunPacker(false, seq === undefined ? null : sequenceOf(seq, 'seq'));
  fragments.forEach((fragment, index) => packer.add(fragment, rules, `fragments[${index}]`));
  return packer.take();
}

/** One line of NDJSON → what JSON says. @throws StreamError BODY_INVALID with the parser's words */
export function parseLine(line: string, place: string): unknown {
  try {
    return JSON.parse(line);
  } catch (cause) {
    throw new StreamError('BODY_INVALID', { detail: `${place} is not JSON: ${(cause as Error).message}.`, place }, { cause });
  }
}

/** One fragment, which is the usual body: no packing, no extra object. */
export function parseFragment(body: object, rules: FragmentRules, place = ''): FragmentRun {
  const fragment = body as FragmentIn;
  const payload = payloadOf(fragment, rules, place);
  const firstSeq = fragment.seq === undefined ? 0 : sequenceOf(fragment.seq, at(place, 'seq'));
  return { firstSeq, lane: fragment.lane === undefined ? '' : laneOf(fragment.lane, at(place, 'lane')), payloads: [payload], bytes: payload.length };
}

/** The headers Fragment-Seq and Fragment-Lane. */
export interface OctetHeaders { sequence: string | undefined; lane: string | undefined }

/** A whole body that is one fragment. */
export function parseOctetAppend(payload: Buffer, { sequence, lane }: OctetHeaders, rules: FragmentRules): FragmentRun {
  checkPayload(payload, rules, '');
  return {
    firstSeq: sequence === undefined ? 0 : sequenceOf(/^\d{1,16}$/.test(sequence) ? Number(sequence) : sequence, 'Fragment-Seq'),
    lane: lane === undefined ? '' : laneOf(lane, 'Fragment-Lane'),
    payloads: [payload],
    bytes: payload.length,
  };
}

/** Joins consecutive fragments of one lane into runs. A fragment without a sequence follows the one before it. */
export class RunPacker {
  private packed: FragmentRun[] = [];
  private isNumbered: boolean | null = null;
  private next = 0;

  /**
   * @param mayJump whether sequences may jump: on NDJSON each line is acknowledged by itself
   * @param firstSeq sequence of the first fragment, when it was given for all of them
   */
  constructor(private readonly mayJump: boolean, firstSeq: number | null = null) {
    if (firstSeq === null) return;
    this.isNumbered = true;
    this.next = firstSeq;
  }

  add(fragment: unknown, rules: FragmentRules, place: string): void {
    if (typeof fragment !== 'object' || fragment === null) throw invalid(place, 'is not a JSON object');
    const run = parseFragment(fragment, rules, place);
    if (run.firstSeq === 0 && this.isNumbered) run.firstSeq = this.next;
    this.isNumbered ??= run.firstSeq > 0;
    if (run.firstSeq > 0 !== this.isNumbered) throw invalid(at(place, 'seq'), 'is given, but the first fragment has none; number all or none');
    // [APPEND-2] The acknowledgement of a body is one {from, to}: it may name only sequences that were in it.
    if (!this.mayJump && this.next > 0 && run.firstSeq !== this.next) {
      throw invalid(at(place, 'seq'), `is ${run.firstSeq}, but ${this.next} follows the fragment before it`);
    }
    if (run.firstSeq > 0) this.next = run.firstSeq + 1;
    join(this.packed, run);
  }

  /** @returns what was packed since the last take */
  take(): FragmentRun[] {
    const runs = this.packed;
    this.packed = [];
    return runs;
  }
}

/** Appends a run to the last one when it continues it, in place. */
function join(runs: FragmentRun[], run: FragmentRun): void {
  const last = runs.at(-1);
  if (!last || !continues(last, run)) {
    runs.push(run);
    return;
  }
  for (const payload of run.payloads) last.payloads.push(payload);
  last.bytes += run.bytes;
}

/** Whether `next` may be packed behind `run` in one record. */
export function continues(run: FragmentRun, next: FragmentRun): boolean {
  return (
    next.lane === run.lane &&
    (run.firstSeq === 0 ? next.firstSeq === 0 : next.firstSeq === run.firstSeq + run.payloads.length) &&
    run.bytes + next.bytes <= RUN_BYTES_MAX &&
    run.payloads.length + next.payloads.length <= RUN_FRAGMENTS_MAX
  );
}

function payloadOf(fragment: FragmentIn, rules: FragmentRules, place: string): Buffer {
  const { data, base64 } = fragment;
  if (base64 !== undefined) {
    if (data !== undefined) throw invalid(place, 'has both data and base64; exactly one is the content');
    if (typeof base64 !== 'string' || !BASE64.test(base64)) throw invalid(at(place, 'base64'), 'is not base64');
    const payload = Buffer.from(base64, 'base64');
    checkPayload(payload, rules, at(place, 'base64'));
    return payload;
  }
  if (data === undefined) throw invalid(place, 'has neither data nor base64');
  const isJson = rules.merge === 'json' || rules.merge === 'latest';
  if (!isJson && typeof data !== 'string') throw invalid(at(place, 'data'), `is not a string, which a ${rules.merge} stream takes`);
  const text = isJson ? JSON.stringify(data) : (data as string);
  // A UTF-16 unit is at least one byte: far too long a text is refused without encoding it.
  if (text.length > rules.fragmentBytesMax) throw tooLarge(rules, place);
  if (!isJson && !isWellFormed(text)) throw utf8Invalid(at(place, 'data'), 'has half a surrogate pair');
  const payload = Buffer.from(text, 'utf8');
  if (payload.length > rules.fragmentBytesMax) throw tooLarge(rules, place);
  return payload;
}

/** [APPEND-9] Text streams take only valid UTF-8; JSON streams only JSON. Others take any bytes. */
function checkPayload(payload: Buffer, rules: FragmentRules, place: string): void {
  if (payload.length > rules.fragmentBytesMax) throw tooLarge(rules, place);
  if (rules.merge === 'bytes') return;
  if (!isUtf8(payload)) throw utf8Invalid(place, 'has bytes that are not UTF-8');
  if (rules.merge === 'text') return;
  try {
    JSON.parse(payload.toString('utf8'));
  } catch (cause) {
    throw new StreamError('BODY_INVALID', { detail: `${named(place)} is not JSON, which a ${rules.merge} stream takes.`, place }, { cause });
  }
}

function sequenceOf(value: unknown, place: string): number {
  if (Number.isSafeInteger(value) && (value as number) >= 1) return value as number;
  throw invalid(place, 'is not a whole number from 1');
}

function laneOf(value: unknown, place: string): string {
  if (typeof value === 'string' && value.length <= LANE_LENGTH_MAX && isWellFormed(value)) return value;
  throw invalid(place, `is not a text of at most ${LANE_LENGTH_MAX} characters`);
}

/** In Node 20, not yet in the ES2023 types. */
function isWellFormed(text: string): boolean {
  return (text as string & { isWellFormed(): boolean }).isWellFormed();
}

const at = (place: string, member: string): string => (place === '' ? member : `${place}.${member}`);
const named = (place: string): string => (place === '' ? 'The body' : place);

export function invalid(place: string, fault: string): StreamError {
  return new StreamError('BODY_INVALID', { detail: `${named(place)} ${fault}.`, ...(place === '' ? {} : { place }) });
}
function utf8Invalid(place: string, fault: string): StreamError {
  return new StreamError('UTF8_INVALID', { detail: `${named(place)} ${fault}.`, ...(place === '' ? {} : { place }) });
}
export function tooLarge(rules: FragmentRules, place: string): StreamError {
  const detail = `${named(place)} is more than the ${rules.fragmentBytesMax} bytes a fragment of this stream may have.`;
  return new StreamError('FRAGMENT_TOO_LARGE', { detail, fragmentBytesMax: rules.fragmentBytesMax, ...(place === '' ? {} : { place }) });
}
