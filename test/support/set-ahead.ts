/** Sets the wall clock of this process ahead of the machine's, or behind, for good. */
export function setAhead(ms: number): void {
  const { now } = Date;
  class Ahead extends Date {
    constructor(...of: [] | ConstructorParameters<DateConstructor>) {
      if (of.length === 0) super(now() + ms);
      else super(...(of as ConstructorParameters<DateConstructor>));
    }

    static override now(): number {
      return now() + ms;
    }
  }
  globalThis.Date = Ahead as DateConstructor;
}
