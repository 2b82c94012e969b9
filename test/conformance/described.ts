import Ajv from 'ajv';
import type { ValidateFunction } from 'ajv';

type Node = Record<string, unknown>;

/** The AsyncAPI document an installation serves, to hold real frames against. */
export class Described {
  private readonly ajv = new Ajv({ strict: false, validateFormats: false, allErrors: true });
  private readonly validators = new Map<string, ValidateFunction>();
  /** Messages that were seen, e.g. `WatchReply.fragment`. */
  readonly seen = new Set<string>();

  constructor(private readonly document: Node) {
    this.ajv.addSchema(document, 'document');
  }

  static async of(url: string): Promise<Described> {
    return new Described(await (await fetch(`${url}/asyncapi.json`)).json() as Node);
  }

  /** Messages of a group that the document has. */
  names(group: string): string[] {
    const { messages } = this.document['components'] as { messages: Node };
    return Object.keys(messages).filter((name) => name.startsWith(`${group}.`));
  }

  /** @throws Error when the document has no such message, or says that it looks otherwise */
  check(group: string, type: string, content: unknown): void {
    const name = `${group}.${type}`;
    if (!this.names(group).includes(name)) throw new Error(`${name} is not in /asyncapi.json`);
    let validate = this.validators.get(name);
    if (validate === undefined) {
      validate = this.ajv.compile({ $ref: `document#/components/messages/${name}/payload` });
      this.validators.set(name, validate);
    }
    if (!validate(content)) throw new Error(`${name}: ${this.ajv.errorsText(validate.errors)} in ${JSON.stringify(content).slice(0, 500)}`);
    this.seen.add(name);
  }
}
