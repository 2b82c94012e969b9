import type { z } from 'zod';

const MARK = '[secret]';

/** Marks a field of a configuration as secret: it is taken out of logs and reports, and shown to nobody. */
export const secret = <Schema extends z.ZodTypeAny>(schema: Schema): Schema => schema.describe(`${MARK} ${schema.description ?? ''}`.trim()) as Schema;

/** Of zod 3 and 4, as far as they hold other schemas: a plugin may bring its own. */
interface SchemaParts { shape?: Record<string, unknown>; description?: string; _def?: Record<string, unknown> }

/** Deeper is taken for a schema that holds itself. */
const DEPTH_MAX = 16;

/**
 * @returns the names of the fields that are marked; of nested objects as `outer.inner`, with `*` for every element of an array and every
 * value of a record; `` for all of it. Where it cannot be told apart, the field around it: rather too much is secret than too little.
 */
export function secretFields(schema: unknown): string[] {
  return [...new Set(fieldsIn(schema, [], 0))];
}

function fieldsIn(schema: unknown, path: readonly string[], depth: number): string[] {
  if (typeof schema !== 'object' || schema === null) return [];
  const { shape, description, _def = {} } = schema as SchemaParts;
  if (description?.startsWith(MARK) || depth > DEPTH_MAX) return [path.join('.')];
  const within = (inner: unknown, ...names: string[]): string[] => fieldsIn(inner, [...path, ...names], depth + 1);
  if (shape) {
    return Object.entries(shape).flatMap(([name, inner]) => {
      const found = within(inner, name);
      return found.length > 0 && /[.*]/.test(name) ? [path.join('.')] : found;
    });
  }
  const { innerType, schema: refined, in: before, out: after, left, right, getter } = _def;
  const same = [innerType, refined, before, after, left, right, typeof getter === 'function' ? (getter as () => unknown)() : null, ...membersOf(_def['options'])];
  const each = [_def['element'], _def['type'], _def['valueType'], _def['rest'], ...membersOf(_def['items'])];
  return [...same.flatMap((inner) => within(inner)), ...each.flatMap((inner) => within(inner, '*'))];
}

const membersOf = (value: unknown): unknown[] => (Array.isArray(value) ? value : value instanceof Map ? [...value.values()] : []);
