import type { Subscription } from './subscription';

/** The subscriptions of one connection that stand before it, in the order in which they may write when it takes more. */
export class WaitingLine {
  private readonly subscriptions = new Set<Subscription>();

  add(subscription: Subscription): void {
    this.subscriptions.add(subscription);
  }

  remove(subscription: Subscription): void {
    this.subscriptions.delete(subscription);
  }

  clear(): void {
    this.subscriptions.clear();
  }

  /** In turns: whoever is blocked again goes to the end. */
  pump(isWritable: () => boolean): void {
    for (const subscription of this.subscriptions) {
      if (!isWritable()) return;
      this.subscriptions.delete(subscription);
      subscription.pump();
    }
  }
}
