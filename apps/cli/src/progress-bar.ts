const WIDTH = 24;
const REDRAW_MS = 100;

/** Progress of long work, for people only: on a terminal, on stderr, and gone when the work is done. */
export class ProgressBar {
  private drawnAt = 0;
  private readonly isShown = process.stderr.isTTY === true;

  constructor(private readonly label: string, private readonly unit: 'bytes' | 'records' = 'bytes') {}

  /** @param total 0 while it is not known */
  update(done: number, total: number): void {
    if (!this.isShown || performance.now() - this.drawnAt < REDRAW_MS) return;
    this.drawnAt = performance.now();
    process.stderr.write(`\r\u001b[K${barText(this.label, done, total, this.unit)}`);
  }

  end(): void {
    if (this.isShown && this.drawnAt > 0) process.stderr.write('\r\u001b[K');
  }
}

export function barText(label: string, done: number, total: number, unit: 'bytes' | 'records'): string {
  const amount = unit === 'bytes' ? bytesText(done) : `${done} records`;
  if (total <= 0) return `${label}  ${amount}`;
  const share = Math.min(1, done / total);
  const filled = Math.round(share * WIDTH);
  return `${label}  [${'#'.repeat(filled)}${'.'.repeat(WIDTH - filled)}] ${Math.floor(share * 100)} %  ${amount}`;
}

export function bytesText(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  const power = Math.min(4, Math.floor(Math.log2(bytes) / 10));
  return `${(bytes / 1024 ** power).toFixed(1)} ${['KiB', 'MiB', 'GiB', 'TiB'][power - 1]}`;
}
