import { createApp, type Limit, limited, locked } from 'lockkeeper';
import { expectTypeOf } from 'vitest';

// Checked by the compiler only: nothing here is ever run.

interface Doc {
  id: string;
  size: number;
}

const app = createApp();
const save = async (doc: Doc, times?: number): Promise<number> => doc.size * (times ?? 1);

export function keysThatFit() {
  app.task(
    't',
    locked((doc: Doc) => doc.id),
    save,
  );
  app.task(
    't',
    locked((doc: Doc, times?: number) => `${doc.id}${times}`),
    save,
  );
  app.task(
    't',
    locked((doc: { id: string }) => doc.id),
    save,
  );
  app.task(
    't',
    locked((doc: unknown) => String(doc)),
    save,
  );
  app.task(
    't',
    locked(() => null),
    save,
  );
  app.task(
    't',
    { limits: [locked((doc: Doc) => doc.id), limited((doc: { size: number }) => `${doc.size}`, '1/s')] },
    save,
  );
  app.task(
    't',
    locked((...all: unknown[]) => `${all.length}`),
    save,
  );
  app.task(
    't',
    locked((doc) => doc.id),
    save,
  );
  app.task('t', { limits: [locked((doc, times) => `${doc.id}${times}`)] }, save);
  locked((doc: Doc) => doc.id)(save);
  expectTypeOf(locked('x', 3, { onBusy: 'skip' })).toExtend<Limit<[Doc]>>();
}

export function keysThatDoNot() {
  const byText = locked((id: string) => id);
  const byOwner = locked((doc: Doc & { owner: string }) => doc.owner);
  const bySurelyTwo = locked((doc: Doc, times: number) => `${doc.id}${times}`);
  const byThree = locked((doc: Doc, _times: number | undefined, more: string) => doc.id + more);
  const rateByText = limited((id: string) => id, '1/s');
  // @ts-expect-error the argument is of another type
  app.task('t', byText, save);
  // @ts-expect-error a field more than the argument has
  app.task('t', byOwner, save);
  // @ts-expect-error the second may be missing
  app.task('t', bySurelyTwo, save);
  // @ts-expect-error more arguments than the task has
  app.task('t', byThree, save);
  // @ts-expect-error in a list too
  app.task('t', { limits: [locked('x'), byText] }, save);
  // @ts-expect-error of a rate too
  app.task('t', rateByText, save);
  // @ts-expect-error of a rate in a list too
  app.task('t', { limits: [rateByText] }, save);
  app.task(
    't',
    // @ts-expect-error no such field
    locked((doc: Doc) => doc.idd),
    save,
  );
  app.task(
    't',
    // @ts-expect-error no such field, of an argument whose type is not said
    locked((doc) => doc.idd),
    save,
  );
  app.task(
    't',
    // @ts-expect-error no such field, in a list
    { limits: [locked('x'), locked((doc: Doc) => doc.idd)] },
    save,
  );
}

export function whatKeyFunctionsGive() {
  // @ts-expect-error a key is a text or null
  locked((doc: Doc) => doc.size);
  // @ts-expect-error a key is there at once
  locked(async (doc: Doc) => doc.id);
  // @ts-expect-error undefined is no key
  locked((doc: Doc) => (doc.size ? doc.id : undefined));
  // @ts-expect-error what an argument is must be said, where nothing else says it
  locked((doc) => doc.id);
}

export function keysOfWrappers() {
  const wrapped = locked((doc: Doc) => doc.id)(save);
  expectTypeOf(wrapped).parameters.toEqualTypeOf<[doc: Doc, times?: number]>();
  expectTypeOf(wrapped).returns.toEqualTypeOf<Promise<number>>();
  expectTypeOf(locked('x')((n: number) => n)).returns.toEqualTypeOf<Promise<number>>();
  expectTypeOf(app.task('t', wrapped).delay).parameters.toEqualTypeOf<[doc: Doc, times?: number]>();
  // @ts-expect-error no such field
  locked((doc: Doc) => doc.idd)(save);
  // @ts-expect-error of another type
  locked((id: string) => id)(save);
  // @ts-expect-error the function has no such argument
  locked((_doc: Doc, _times: number | undefined, more: string) => more)(save);
  // @ts-expect-error of a rate too
  limited((id: string) => id, '1/s')(save);
}

export function weightsAndCosts() {
  app.task('t', locked('x', 9, { weight: (doc: Doc) => doc.size }), save);
  app.task(
    't',
    locked((doc: Doc) => doc.id, { weight: (doc) => doc.size }),
    save,
  );
  app.task('t', limited('x', '1/s', { cost: (doc: Doc) => doc.size }), save);
  // @ts-expect-error of another type
  app.task('t', locked('x', 9, { weight: (id: string) => id.length }), save);
  // @ts-expect-error of another type than the key function takes
  locked((doc: Doc) => doc.id, { weight: (id: string) => id.length });
  // @ts-expect-error no such field
  locked((doc: Doc) => doc.id, { weight: (doc) => doc.sise });
  // @ts-expect-error a weight is a number
  locked((doc: Doc) => doc.id, { weight: (doc) => doc.id });
  // @ts-expect-error of another type, in a wrapper
  locked('x', 9, { weight: (id: string) => id.length })(save);
  // @ts-expect-error of another type
  app.task('t', limited('x', '1/s', { cost: (id: string) => id.length }), save);
}

export function options() {
  // @ts-expect-error a typo
  locked('x', { capcity: 3 });
  // @ts-expect-error no such choice
  locked('x', { onBusy: 'drop' });
  // @ts-expect-error no duration
  locked('x', { countdown: 'soon' });
  // @ts-expect-error a rate has no lease
  limited('x', '1/s', { lease: '5s' });
  // @ts-expect-error permits have no burst
  locked('x', { burst: 3 });
  // @ts-expect-error no rate
  limited('x', 100);
  // @ts-expect-error a capacity is a number
  locked('x', '3');
}
