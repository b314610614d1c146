import { BusyError, ConfigError, currentTask, LockedTask, TaskSkippedError } from 'lockkeeper';
import { describe, expect, it } from 'vitest';
import { errorOf, gate, settle, testApp } from './kit.js';

describe('a LockedTask', () => {
  it('is a task with a limit', async () => {
    const test = testApp();
    class ImportData extends LockedTask {
      static readonly taskName = 'import-data';
      lockName = 'import';
      async lockedRun(url: string) {
        return { length: url.length, permits: currentTask().permits.map(({ resource }) => resource) };
      }
    }
    const importData = test.app.register(ImportData);
    expect(importData.taskName).toBe('import-data');
    const call = await importData.delay('http://a');
    await test.drain();
    expect(await call.get()).toEqual({ length: 8, permits: ['import'] });
    expect(await importData('http://')).toMatchObject({ length: 7 });
  });

  it('is named as its class unless it says otherwise, with the options it has', async () => {
    const test = testApp();
    class Import extends LockedTask {
      static readonly options = { queue: 'imports', retry: 2 };
      lockName = 'import';
      async lockedRun() {
        if (currentTask().attempt < 3) throw new Error('not yet');
      }
    }
    const task = test.app.register(Import);
    expect(task.taskName).toBe('Import');
    expect(test.app.queues).toEqual(['default', 'imports']);
    const call = await task.delay();
    await test.advance('10s');
    await call.get();
  });

  it('has a fresh instance for each run, so runs share no fields', async () => {
    const test = testApp();
    class Count extends LockedTask {
      lockName = 'count';
      capacity = 5;
      #runs = 0;
      seen: number[] = [];
      async lockedRun(n: number) {
        this.#runs++;
        this.seen.push(n);
        return { runs: this.#runs, seen: this.seen };
      }
    }
    const count = test.app.register(Count);
    const calls = await count.delayMany([[1], [2]]);
    await test.drain();
    expect(await Promise.all(calls.map((call) => call.get()))).toEqual([
      { runs: 1, seen: [1] },
      { runs: 1, seen: [2] },
    ]);
    expect(await count(3)).toEqual({ runs: 1, seen: [3] });
  });

  it('may name its resource by the arguments, or not be limited at all', async () => {
    const test = testApp({ resources: { 'host:*': { capacity: 2 } } });
    class Fetch extends LockedTask {
      prefix = 'host:';
      lockName = (host: string, force = false) => (force ? null : this.prefix + host);
      async lockedRun(_host: string, _force?: boolean) {
        return currentTask().permits.map(({ resource }) => resource);
      }
    }
    const fetch = test.app.register(Fetch);
    expect(await fetch('a')).toEqual(['host:a']);
    expect(await fetch('a', true)).toEqual([]);
  });

  it('holds to its capacity and weight', async () => {
    const test = testApp();
    const runs = gate();
    class Heavy extends LockedTask {
      lockName = 'heavy';
      capacity = 5;
      weight = (kilos: number) => kilos;
      async lockedRun(_kilos: number) {
        await runs.body();
      }
    }
    await test.app.register(Heavy).delayMany([[2], [2], [2]]);
    await test.drain();
    expect(runs.running).toBe(2);
    expect((await test.app.locks.inspect('heavy')).holders.map(({ weight }) => weight)).toEqual([2, 2]);
  });

  it('goes back to its queue when busy', async () => {
    const test = testApp();
    class Import extends LockedTask {
      lockName = 'import';
      countdown = '2s';
      async lockedRun() {
        return 'done';
      }
    }
    const held = await test.app.locks.acquire('import');
    const call = await test.app.register(Import).delay();
    await test.drain();
    expect(test.putOffs(call)).toEqual([{ resource: 'import', reason: 'busy', after: undefined }]);
    await held.release();
    await settle();
    expect(await call.get()).toBe('done');
  });

  it('is not run at all when busy and told not to be queued again', async () => {
    const test = testApp();
    class Import extends LockedTask {
      lockName = 'import';
      retryOnLock = false;
      async lockedRun() {}
    }
    const importData = test.app.register(Import);
    const held = await test.app.locks.acquire('import');
    const call = await importData.delay();
    await test.drain();
    const error = await errorOf(call.get());
    expect(error).toBeInstanceOf(TaskSkippedError);
    expect(error).toMatchObject({ taskId: call.id, reason: '"import" is busy', code: 'SKIPPED' });
    expect(await call.state).toBe('skipped');
    expect(await errorOf(importData())).toBeInstanceOf(BusyError);
    await held.release();
    await importData();
  });

  it('has the choices that a limit has, which count for more than `retryOnLock`', async () => {
    const { app } = testApp();
    class Import extends LockedTask {
      lockName = 'import';
      retryOnLock = false;
      onBusy = 'fail';
      maxWait = '1m';
      waitTimeout = '2s';
      onUnavailable = 'run';
      lease = '20s';
      maxHold = false;
      onLost = 'keep';
      async lockedRun() {}
    }
    expect(app.register(Import).limits).toMatchObject([
      {
        onBusy: 'fail',
        maxWait: 60_000,
        waitTimeout: 2_000,
        onUnavailable: 'run',
        lease: 20_000,
        maxHold: Number.POSITIVE_INFINITY,
        onLost: 'keep',
      },
    ]);
  });

  it('may extend another', async () => {
    const { app } = testApp();
    abstract class Base extends LockedTask {
      lockName = 'shared';
      capacity = 3;
      abstract source(): string;
      async lockedRun(n: number) {
        return this.source() + n;
      }
    }
    class Weekly extends Base {
      source() {
        return 'weekly';
      }
    }
    class Daily extends Base {
      static readonly taskName = 'daily';
      override capacity = 4;
      source() {
        return 'daily';
      }
    }
    const [weekly, daily] = [app.register(Weekly), app.register(Daily)];
    expect([weekly.taskName, daily.taskName]).toEqual(['Weekly', 'daily']);
    expect([weekly.limits[0]?.capacity, daily.limits[0]?.capacity]).toEqual([3, 4]);
    expect([await weekly(1), await daily(2)]).toEqual(['weekly1', 'daily2']);
  });

  it.each<[string, (base: typeof LockedTask) => unknown, string]>([
    [
      'no lockName',
      (Base) =>
        class Import extends (Base as any) {
          lockedRun() {}
        },
      'The LockedTask "Import" has no `lockName`',
    ],
    [
      'a lockName that is none',
      (Base) =>
        class Import extends (Base as any) {
          lockName = 7;
          lockedRun() {}
        },
      'Expected `name` to be a text, or a function of the arguments that gives one, got 7',
    ],
    [
      'no lockedRun',
      (Base) =>
        class Import extends (Base as any) {
          lockName = 'x';
        },
      'The LockedTask "Import" has no `lockedRun`',
    ],
    [
      'a capacity of 0',
      (Base) =>
        class Import extends (Base as any) {
          lockName = 'x';
          capacity = 0;
          lockedRun() {}
        },
      'Expected `locked("x") capacity` to be a whole number from 1 up, got 0',
    ],
    [
      'a countdown that is no time',
      (Base) =>
        class Import extends (Base as any) {
          lockName = 'x';
          countdown = 'soon';
          lockedRun() {}
        },
      'Expected `locked("x") countdown` to be a duration of 0 or more',
    ],
    [
      'a retryOnLock that is neither',
      (Base) =>
        class Import extends (Base as any) {
          lockName = 'x';
          retryOnLock = 'no';
          lockedRun() {}
        },
      'Expected `retryOnLock of task "Import"` to be true or false, got "no"',
    ],
    [
      'an onBusy that is none',
      (Base) =>
        class Import extends (Base as any) {
          lockName = 'x';
          onBusy = 'later';
          lockedRun() {}
        },
      'Expected `locked("x") onBusy` to be',
    ],
    [
      'a task name that is none',
      (Base) =>
        class Import extends (Base as any) {
          static taskName = '';
          lockName = 'x';
          lockedRun() {}
        },
      'Expected `taskName` to be a text that is not empty, got ""',
    ],
    [
      'options that it does not know',
      (Base) =>
        class Import extends (Base as any) {
          static options = { prio: 1 };
          lockName = 'x';
          lockedRun() {}
        },
      '`the options of task "Import"` has no option `prio`',
    ],
  ])('is refused with %s', (_, make, message) => {
    const { app } = testApp();
    const failing = () => app.register(make(LockedTask) as never);
    expect(failing).toThrow(ConfigError);
    expect(failing).toThrow(message);
  });
});
