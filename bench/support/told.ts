import { type ChildProcess, fork, type Serializable } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/** A program of this folder's, in a process of its own, which answers messages one by one. */
export function startProgram(program: URL, ...args: string[]): ChildProcess {
  return fork(fileURLToPath(program), args);
}

/** What the process answers to this. */
export async function told<T>(child: ChildProcess, message: Serializable): Promise<T> {
  const over = new AbortController();
  const { signal } = over;
  const answer = once(child, 'message', { signal }) as Promise<[T]>;
  const end = once(child, 'exit', { signal }).then(([code]): never => {
    throw new Error(`A process of the benchmark ended with exit code ${code}`);
  });
  child.send(message);
  try {
    const [value] = await Promise.race([answer, end]);
    return value;
  } finally {
    // Of the two, one is not waited for any more.
    for (const one of [answer, end]) one.catch(() => {});
    over.abort();
  }
}
