const LINE_MAX = 2_048;
const HIDDEN = '[redacted]';
/** Shorter ones would hide ordinary words. */
const SECRET_LENGTH_MIN = 4;
/** What looks like a credential whoever printed it. */
const CREDENTIALS = /\b(?:sk-[\w-]{8,}|rk_[\w-]{8,}|eyJ[\w-]{8,}\.[\w-]+\.[\w-]+)|(?<=\bBearer\s+)\S+/gi;

export interface LogLine { at: number; line: string }

/** The newest lines of one plugin on this host: bounded, secrets taken out before anything is kept. */
export class PluginLog {
  private lines: LogLine[] = [];
  private secrets: string[] = [];

  constructor(private readonly linesMax: number) {}

  /** @param secrets values that must never be shown */
  hide(secrets: readonly string[]): void {
    this.secrets = secrets.filter((value) => value.length >= SECRET_LENGTH_MIN).sort((a, b) => b.length - a.length);
  }

  add(line: string): string {
    const kept = this.redact(line).slice(0, LINE_MAX);
    this.lines.push({ at: Date.now(), line: kept });
    if (this.lines.length > this.linesMax) this.lines.shift();
    return kept;
  }

  redact(text: string): string {
    let shown = text;
    for (const value of this.secrets) shown = shown.replaceAll(value, HIDDEN);
    return shown.replace(CREDENTIALS, HIDDEN);
  }

  newest(count: number): readonly LogLine[] {
    return count === 0 ? [] : this.lines.slice(-count);
  }
}
