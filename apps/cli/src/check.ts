/** Something that is wrong, and the one thing to do about it. Codes are never renamed: scripts match them. */
export interface Finding { code: string; what: string; remedy: string }

export interface Checked {
  check: string;
  /** What was seen, in words. */
  facts: string[];
  findings: Finding[];
  /** Why it was not checked, or not all of it. */
  skipped?: string;
}

/** One check while it runs. */
export class Check {
  readonly facts: string[] = [];
  readonly findings: Finding[] = [];
  private reason: string | undefined;

  constructor(readonly name: string) {}

  saw(fact: string): void {
    this.facts.push(fact);
  }

  found(code: string, what: string, remedy: string): void {
    this.findings.push({ code, what, remedy });
  }

  skip(reason: string): void {
    this.reason = reason;
  }

  get result(): Checked {
    const { name, facts, findings, reason } = this;
    return { check: name, facts, findings, ...(reason === undefined ? {} : { skipped: reason }) };
  }
}
