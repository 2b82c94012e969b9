/** @returns null when ready, else why not, in words an operator understands */
export type ReadinessCheck = () => string | null;

export interface ReadinessReport {
  ready: boolean;
  checks: Record<string, { ready: boolean; why?: string }>;
}

/** Ready means: it can do its job now. A process that only runs is healthy, not ready. */
export class Readiness {
  private readonly checks = new Map<string, ReadinessCheck>();

  /** @param name replaces an earlier check of that name */
  add(name: string, check: ReadinessCheck): void {
    this.checks.set(name, check);
  }

  report(): ReadinessReport {
    const report: ReadinessReport = { ready: true, checks: {} };
    for (const [name, check] of this.checks) {
      const why = check();
      report.checks[name] = why === null ? { ready: true } : { ready: false, why };
      if (why !== null) report.ready = false;
    }
    return report;
  }

  get isReady(): boolean {
    return this.report().ready;
  }
}
