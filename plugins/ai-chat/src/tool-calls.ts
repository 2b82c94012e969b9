import type OpenAI from 'openai';

type Part = OpenAI.ChatCompletionChunk.Choice.Delta.ToolCall;
interface Call { id: string; name: string; arguments: string }

const CALLS_MAX = 128;
const ARGUMENTS_MAX = 131_072;

/** Tool calls come in pieces, each named by its index; a reader wants them whole. */
export class ToolCalls {
  private readonly calls: Call[] = [];

  take({ index, id, function: called }: Part): void {
    if (!(index >= 0 && index < CALLS_MAX)) throw new Error(`The endpoint numbers a tool call ${index}.`);
    const call = (this.calls[index] ??= { id: '', name: '', arguments: '' });
    call.id = id ?? call.id;
    call.name += called?.name ?? '';
    call.arguments += called?.arguments ?? '';
    if (call.arguments.length > ARGUMENTS_MAX) throw new Error(`The arguments of a tool call are longer than ${ARGUMENTS_MAX} characters.`);
  }

  /** A line of JSON per call, in order; arguments stay the text that the model wrote. */
  lines(): string[] {
    return this.calls.filter((call) => call !== undefined).map((call) => `${JSON.stringify(call)}\n`);
  }
}
