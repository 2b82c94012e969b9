import { parseAllDocuments } from 'yaml';
import { readAllocatorConfig } from '@rivulet/allocator';
import { readFanoutConfig } from '@rivulet/fanout';
import { readIngestConfig } from '@rivulet/ingest';
import { readPluginsConfig } from '@rivulet/plugins';
import { files } from './source-files';

export type Yaml = Record<string, unknown>;
export interface YamlDocument { file: string; content: Yaml }
type Path = readonly (string | number)[];

/** All documents of the YAML files that match. @throws when one of them cannot be read */
export function yamlDocuments(pattern: RegExp): YamlDocument[] {
  return files(pattern).flatMap(({ name, text }) => parseAllDocuments(text, { merge: true }).map((document) => {
    if (document.errors.length > 0) throw new Error(`${name}: ${document.errors.map((error) => error.message).join('; ')}`);
    return { file: name, content: document.toJS() as Yaml };
  }));
}

/** @returns the value at a path of keys and indexes, undefined where there is none */
export function at(value: unknown, ...path: Path): unknown {
  return path.reduce<unknown>((inner, key) => (inner as Record<string | number, unknown> | undefined | null)?.[key], value);
}

export const listAt = (value: unknown, ...path: Path): unknown[] => (at(value, ...path) as unknown[] | undefined) ?? [];
export const mapAt = (value: unknown, ...path: Path): Yaml => (at(value, ...path) as Yaml | undefined) ?? {};
export const textAt = (value: unknown, ...path: Path): string => String(at(value, ...path));

const MS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 } as const;

/** `30s`, `2m` as ms. */
export function durationMs(text: unknown): number {
  const match = /^(\d+)(ms|s|m|h)$/.exec(String(text));
  if (!match) throw new Error(`${String(text)} is not a duration`);
  return Number(match[1]) * MS[match[2] as keyof typeof MS];
}

/** What each app makes of an environment; throws with every problem, as the process would at its start. */
export const APPS = {
  allocator: { read: readAllocatorConfig, ports: (env: NodeJS.ProcessEnv) => {
    const { allocatorPort, allocatorGrpcPort } = readAllocatorConfig(env);
    return { http: allocatorPort, grpc: allocatorGrpcPort };
  } },
  ingest: { read: readIngestConfig, ports: (env: NodeJS.ProcessEnv) => ({ http: readIngestConfig(env).ingestPort }) },
  fanout: { read: readFanoutConfig, ports: (env: NodeJS.ProcessEnv) => ({ http: readFanoutConfig(env).fanoutPort }) },
  plugins: { read: readPluginsConfig, ports: (env: NodeJS.ProcessEnv) => ({ http: readPluginsConfig(env).pluginsPort }) },
} as const;
export type App = keyof typeof APPS;
export const APP_NAMES = Object.keys(APPS) as App[];
