import type { z } from 'zod';

const MARK = '[secret]';

/** Marks a field of a configuration as secret: it is taken out of logs and reports, and shown to nobody. */
export const secret = <Schema extends z.ZodTypeAny>(schema: Schema): Schema => schema.describe(`${MARK} ${schema.description ?? ''}`.trim()) as Schema;

interface SchemaParts { shape?: Record<string, unknown>; description?: string; _def?: { innerType?: unknown } }

/** @returns the names of the fields that are marked; of nested objects as `outer.inner` */
export function secretFields(schema: unknown, path: readonly string[] = []): string[] {
  const { shape, description, _def } = (schema ?? {}) as SchemaParts;
  if (description?.startsWith(MARK)) return [path.join('.')];
  if (shape) return Object.entries(shape).flatMap(([name, inner]) => secretFields(inner, [...path, name]));
  return _def?.innerType ? secretFields(_def.innerType, path) : [];
}
