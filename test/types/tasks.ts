import { createApp, limited, locked, type Task, type TaskResult } from 'lockkeeper';
import { expectTypeOf } from 'vitest';

// Checked by the compiler only: nothing here is ever run.

interface Doc {
  id: string;
  size: number;
}

declare const doc: Doc;
const app = createApp();
const save = async (given: Doc, times?: number): Promise<number> => given.size * (times ?? 1);

export function theThreeForms() {
  const plain = app.task('save', save);
  const limit = app.task('save', locked('storage'), save);
  const options = app.task(
    'save',
    { limits: [locked('storage'), limited('starts', '1/s')], queue: 'q' },
    save,
  );
  type Save = Task<[given: Doc, times?: number], number>;
  expectTypeOf(plain).toEqualTypeOf<Save>();
  expectTypeOf(limit).toEqualTypeOf<Save>();
  expectTypeOf(options).toEqualTypeOf<Save>();

  expectTypeOf(app.task('inline', async (id: string) => ({ id }))).toEqualTypeOf<
    Task<[id: string], { id: string }>
  >();
  expectTypeOf(app.task('sync', (n: number) => n)).toEqualTypeOf<Task<[n: number], number>>();
  expectTypeOf(app.task('none', () => {})).toEqualTypeOf<Task<[], void>>();
  expectTypeOf(app.task('rest', async (...all: string[]) => all)).toEqualTypeOf<Task<string[], string[]>>();
  expectTypeOf(app.task('either', async (n: number) => (n > 0 ? 'yes' : null))).toEqualTypeOf<
    Task<[n: number], 'yes' | null>
  >();
  expectTypeOf(app.task('wrapped', locked('storage')(save))).toEqualTypeOf<Save>();
}

export async function callsAndResults() {
  const task = app.task('save', save);
  expectTypeOf(task(doc)).toEqualTypeOf<Promise<number>>();
  expectTypeOf(task.delay(doc, 2)).toEqualTypeOf<Promise<TaskResult<number>>>();
  expectTypeOf(task.delayMany([[doc], [doc, 2]])).toEqualTypeOf<Promise<TaskResult<number>[]>>();
  expectTypeOf(task.applyAsync([doc], { countdown: '5s', eta: undefined })).toEqualTypeOf<
    Promise<TaskResult<number>>
  >();
  expectTypeOf(await (await task.delay(doc)).get()).toEqualTypeOf<number>();
  expectTypeOf(app.result('id').get()).toEqualTypeOf<Promise<unknown>>();
  expectTypeOf(app.result<Doc>('id').get()).toEqualTypeOf<Promise<Doc>>();
}

export function tasksOfOthers() {
  const add = app.remote<[a: number, b: number], number>('add', { queue: 'celery' });
  expectTypeOf(add.delay(1, 2)).toEqualTypeOf<Promise<TaskResult<number>>>();
  expectTypeOf(add.applyAsync([], { kwargs: { a: 1, b: 2 } })).toEqualTypeOf<Promise<TaskResult<number>>>();
  expectTypeOf(app.remote('any').delay(1, 'b')).toEqualTypeOf<Promise<TaskResult<unknown>>>();
  // @ts-expect-error of another type
  void add.delay('1', 2);
  // @ts-expect-error it cannot be run here
  void add(1, 2);
}

export function wrongCalls() {
  const task = app.task('save', save);
  // @ts-expect-error an argument is missing
  void task();
  // @ts-expect-error an argument is missing
  void task.delay();
  // @ts-expect-error of another type
  void task.delay('doc');
  // @ts-expect-error a field is missing
  void task.delay({ id: 'a' });
  // @ts-expect-error the second is of another type
  void task.delay(doc, 'twice');
  // @ts-expect-error one too many
  void task.delay(doc, 2, 3);
  // @ts-expect-error the arguments of each call are a list
  void task.delayMany([doc]);
  // @ts-expect-error of another type
  void task.delayMany([[doc], ['doc']]);
  // @ts-expect-error the arguments are a list
  void task.applyAsync(doc);
  // @ts-expect-error of another type
  void task.applyAsync([7]);
}

export function wrongOptions() {
  const task = app.task('save', save);
  // @ts-expect-error a typo
  void task.applyAsync([doc], { countdwn: 5 });
  // @ts-expect-error no duration
  void task.applyAsync([doc], { countdown: '5 parsecs' });
  // @ts-expect-error a Date is meant
  void task.applyAsync([doc], { eta: 1_700_000_000 });
  // @ts-expect-error a typo
  app.task('t', { prio: 3 }, save);
  // @ts-expect-error a typo in the policy
  app.task('t', { retry: { retries: 3 } }, save);
  // @ts-expect-error no such backoff
  app.task('t', { retry: { backoff: 'linear' } }, save);
  // @ts-expect-error a list is meant
  app.task('t', { limits: locked('x') }, save);
  // @ts-expect-error names are no limits
  app.task('t', { limits: ['x'] }, save);
  // @ts-expect-error the function comes last
  app.task('t', save, locked('x'));
  // @ts-expect-error there is no function
  app.task('t', { queue: 'q' });
  // @ts-expect-error a typo
  createApp({ borker: 'memory:' });
  // @ts-expect-error a typo in a resource
  createApp({ resources: { storage: { capcity: 3 } } });
  // @ts-expect-error no rate
  createApp({ resources: { sms: { rate: 'often' } } });
}
