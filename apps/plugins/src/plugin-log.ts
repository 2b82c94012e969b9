const LINE_MAX = 2_048;
const HIDDEN = '[redacted]';
/** Shorter ones would hide ordinary words. */
const SECRET_LENGTH_MIN = 4;
/** What looks like a credential whoever printed it. */
const CREDENTIALS = /\b(?:sk-[\w-]{8,}|rk_[\w-]{8,}|eyJ[\w-]{8,}\.[\w-]+\.[\w-]+)|(?<=\bBearer\s+)\S+/gi;

export interface LogLine {
  /** ms since the epoch; no two lines of a plugin on a host have the same, so it names the line. */
  at: number;
  line: string;
}

/** The newest lines of one plugin on this host: bounded, secrets taken out before anything is kept. */
export class PluginLog {
  private lines: LogLine[] = [];
  private secrets: string[] = [];
  private lastAt = 0;

  constructor(private readonly linesMax: number) {}

  /** @param secrets values that must never be shown */
  hide(secrets: readonly string[]): void {
    this.secrets = secrets.filter((value) => value.length >= SECRET_LENGTH_MIN).sort((a, b) => b.length - a.length);
  }

  add(line: string): string {
    const kept = this.redact(line).slice(0, LINE_MAX);
    this.lastAt = Math.max(this.lastAt + 1, Date.now());
    this.lines.push({ at: this.lastAt, line: kept });
    if (this.lines.length > this.linesMax) this.lines.shift();
    return kept;
  }

  redact(text: string): string {
    let shown = text;
    for (const value of this.secrets) shown = shown.replaceAll(value, HIDDEN);
    return shown.replace(CREDENTIALS, HIDDEN);
  }

  /** @param since only lines after the one of this time */
  newest(count: number, since = 0): readonly LogLine[] {
    return count === 0 ? [] : this.lines.filter(({ at }) => at > since).slice(-count);
  }
}
