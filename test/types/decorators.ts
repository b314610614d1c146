import { limited, locked, task } from 'lockkeeper';
import { expectTypeOf } from 'vitest';

// Checked by the compiler only: nothing here is ever run.

interface Doc {
  id: string;
  size: number;
}

/** All of this compiles, and leaves the methods their types. */
class Fitting {
  @task()
  @locked('x')
  async plain(doc: Doc, times = 1): Promise<number> {
    return doc.size * times;
  }

  @locked((doc: Doc) => doc.id)
  async exact(doc: Doc): Promise<string> {
    return doc.id;
  }

  @locked((doc: { id: string }) => doc.id)
  async wider(doc: Doc, _more?: string): Promise<string> {
    return doc.id;
  }

  @locked((...all: unknown[]) => `${all.length}`)
  async anything(_a: string, _b: number): Promise<void> {}

  @task({ queue: 'q' })
  @limited((doc: Doc) => doc.id, '1/s', { cost: (doc) => doc.size })
  @locked('x', 3, { weight: (doc: Doc) => doc.size })
  async several(doc: Doc): Promise<Doc> {
    return doc;
  }

  @task('generic')
  @locked((key: string) => key)
  async generic<T>(_key: string, value: T): Promise<T> {
    return value;
  }

  @locked('x')
  async genericWithBounds<T extends Doc, K extends keyof T>(doc: T, key: K): Promise<T[K]> {
    return doc[key];
  }

  @locked('x')
  async withThis(this: Fitting, doc: Doc): Promise<number> {
    return await this.plain(doc);
  }

  @locked('x')
  static async ofTheClass(): Promise<void> {}

  @task()
  sync(n: number): number {
    return n;
  }
}

class GenericClass<T extends { id: string }> {
  @task()
  @locked((item: { id: string }) => item.id)
  async keep(item: T): Promise<T> {
    return item;
  }
}

export function methodsKeepTheirTypes(object: Fitting, generic: GenericClass<Doc>) {
  expectTypeOf(object.plain).toEqualTypeOf<(doc: Doc, times?: number) => Promise<number>>();
  expectTypeOf(object.generic('a', 7 as const)).toEqualTypeOf<Promise<7>>();
  expectTypeOf(object.genericWithBounds({ id: 'a', size: 1 }, 'size')).toEqualTypeOf<Promise<number>>();
  expectTypeOf(generic.keep).toEqualTypeOf<(item: Doc) => Promise<Doc>>();
}

export class Wrong {
  // @ts-expect-error no such field
  @locked((doc: Doc) => doc.idd)
  async noSuchField(_doc: Doc): Promise<void> {}

  // @ts-expect-error the argument is of another type
  @locked((id: string) => id)
  async otherType(_doc: Doc): Promise<void> {}

  // @ts-expect-error the second argument is of another type
  @locked((_doc: Doc, times: string) => times)
  async otherSecond(_doc: Doc, _times: number): Promise<void> {}

  // @ts-expect-error the argument may be missing
  @locked((doc: Doc) => doc.id)
  async optional(_doc?: Doc): Promise<void> {}

  // @ts-expect-error the method takes no argument
  @locked((doc: Doc) => doc.id)
  async noArgument(): Promise<void> {}

  // @ts-expect-error a key is a text or null
  @locked((doc: Doc) => doc.size)
  async keyOfAnotherType(_doc: Doc): Promise<void> {}

  // @ts-expect-error what an argument is must be said
  @locked((doc) => doc.id)
  async unsaid(_doc: Doc): Promise<void> {}

  // @ts-expect-error the method is not asynchronous, and would become so behind its caller's back
  @locked('x')
  sync(doc: Doc): number {
    return doc.size;
  }

  // @ts-expect-error the same of a rate
  @limited('x', '1/s')
  syncUnderRate(): void {}

  // @ts-expect-error the argument is of another type
  @limited((id: string) => id, '1/s')
  async rate(_doc: Doc): Promise<void> {}

  // @ts-expect-error the weight is of another type
  @locked('x', 3, { weight: (id: string) => id.length })
  async weight(_doc: Doc): Promise<void> {}

  // @ts-expect-error the bound has no such field
  @locked((doc: Doc) => doc.id)
  async generic<T>(_doc: T): Promise<void> {}

  // @ts-expect-error a typo
  @task({ prio: 3 })
  async typo(): Promise<void> {}
}
