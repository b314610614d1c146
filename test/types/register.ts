import { createApp, LockedTask, locked, type Task, task } from 'lockkeeper';
import { expectTypeOf } from 'vitest';

// Checked by the compiler only: nothing here is ever run.

const app = createApp();

class Reports {
  title = 'reports';
  #secret = 1;

  @task()
  @locked((account: string) => `tenant:${account}`)
  async build(account: string, month: number, draft = false) {
    return { account, month, draft, secret: this.#secret };
  }

  @task()
  sync(n: number) {
    return n;
  }

  @task()
  async generic<T>(value: T): Promise<T> {
    return value;
  }

  protected async hidden() {}
}

export function handles() {
  const reports = app.register(new Reports());
  type Built = { account: string; month: number; draft: boolean; secret: number };
  expectTypeOf(reports.build).toEqualTypeOf<Task<[account: string, month: number, draft?: boolean], Built>>();
  expectTypeOf(reports.sync).toEqualTypeOf<Task<[n: number], number>>();
  expectTypeOf(reports.generic).toEqualTypeOf<Task<[value: unknown], unknown>>();
  expectTypeOf<keyof typeof reports>().toEqualTypeOf<'build' | 'sync' | 'generic'>();
  expectTypeOf(reports.build.delay).parameters.toEqualTypeOf<
    [account: string, month: number, draft?: boolean]
  >();
  // @ts-expect-error of another type
  void reports.build.delay(7, 7);
  // @ts-expect-error an argument is missing
  void reports.build.delay('acme');
  // @ts-expect-error no method
  void reports.title;
  // @ts-expect-error not for everybody
  void reports.hidden;
  // @ts-expect-error handles are not to be changed
  reports.sync = app.task('sync', (n: number) => n);
}

class ImportData extends LockedTask {
  static readonly taskName = 'import-data';
  lockName = 'import-data';
  capacity = 1;
  countdown = '5s';
  retryOnLock = false;
  onBusy = 'skip';
  maxHold = false;

  async lockedRun(url: string, pages?: number) {
    return { url, pages };
  }
}

class ByHost extends LockedTask {
  static override readonly options = { queue: 'hosts', retry: 3 };
  lockName = (host: string) => `host:${host}`;
  weight = (_host: string, pages: number) => pages;
  override capacity = 3;

  lockedRun(host: string, pages: number) {
    return host.length * pages;
  }
}

export function lockedTasks() {
  const importData = app.register(ImportData);
  type Imported = { url: string; pages: number | undefined };
  expectTypeOf(importData).toEqualTypeOf<Task<[url: string, pages?: number], Imported>>();
  expectTypeOf(app.register(ByHost)).toEqualTypeOf<Task<[host: string, pages: number], number>>();
  // @ts-expect-error of another type
  void importData.delay(7);
  // @ts-expect-error an argument is missing
  void importData.delay();
}

export function wrongLockedTasks() {
  class WrongKey extends LockedTask {
    lockName = (id: number) => `${id}`;
    lockedRun(_id: string) {}
  }
  class WrongWeight extends LockedTask {
    lockName = 'x';
    weight = (id: number) => id;
    lockedRun(_id: string) {}
  }
  class NeedsMore extends LockedTask {
    lockName = 'x';
    constructor(readonly more: string) {
      super();
    }
    lockedRun() {}
  }
  abstract class Unfinished extends LockedTask {
    lockName = 'x';
  }
  class WrongField extends LockedTask {
    lockName = 'x';
    // @ts-expect-error a number is meant
    capacity = '3';
    lockedRun() {}
  }
  // @ts-expect-error there is no lockName
  class NoName extends LockedTask {
    lockedRun() {}
  }
  // @ts-expect-error its key does not take what its lockedRun takes
  app.register(WrongKey);
  // @ts-expect-error its weight does not take what its lockedRun takes
  app.register(WrongWeight);
  // @ts-expect-error each run has a fresh instance, made without arguments
  app.register(NeedsMore);
  // @ts-expect-error it cannot be made
  app.register(Unfinished);
  // @ts-expect-error another kind of class is registered as an object
  app.register(Reports);
  return [WrongField, NoName];
}
