import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, it } from 'vitest';
import { startJava, startPython, startScript } from './peer.js';
import { removeFolder, temporaryFolder } from './servers/folders.js';
import { until } from './until.js';

const echo = `
import sys
print(*sys.argv[1:])
for line in sys.stdin:
    print(line.strip().upper())
`;

describe('a peer', () => {
  it('in Python is told and tells, line by line', async () => {
    await using peer = await startPython(echo, 'a', 'b');
    expect(await peer.next()).toBe('a b');
    expect(await peer.ask('hello')).toBe('HELLO');
    peer.say('one\ntwo');
    await until(() => peer.unread.length === 2);
    expect(peer.unread).toEqual(['ONE', 'TWO']);
    expect(await peer.next()).toBe('ONE');
  });

  it.each(['redis', 'kazoo', 'celery'])('in Python has the module %s', async (module) => {
    await using peer = await startPython(`import ${module}; print(${module}.__name__)`);
    expect(await peer.next()).toBe(module);
  });

  it('in Python may be a file', async () => {
    const folder = await temporaryFolder('peer');
    const file = join(folder, 'echo.py');
    await writeFile(file, echo);
    await using peer = await startPython(pathToFileURL(file), 'c');
    expect(await peer.next()).toBe('c');
    await removeFolder(folder);
  });

  it('in TypeScript knows the package', async () => {
    await using peer = await startScript(new URL('echo.ts', import.meta.url), 'a', 'b');
    expect(await peer.next()).toBe('a b');
    expect(await peer.ask('hello')).toBe('hello ConfigError');
  });

  it('in Java knows Curator', async () => {
    const folder = await temporaryFolder('peer');
    const file = join(folder, 'Peer.java');
    await writeFile(
      file,
      `import org.apache.curator.framework.recipes.locks.InterProcessMutex;
      public class Peer {
        public static void main(String[] args) {
          System.out.println(InterProcessMutex.class.getSimpleName() + " " + args[0]);
        }
      }`,
    );
    await using peer = await startJava(pathToFileURL(file), 'a');
    expect(await peer.next(60_000)).toBe('InterProcessMutex a');
    await removeFolder(folder);
  }, 60_000);

  it('that ends tells what went wrong', async () => {
    await using peer = await startPython('raise ValueError("of its own")');
    await expect(peer.next()).rejects.toThrow(
      /The peer ended \(exit code 1\)\.[\s\S]*ValueError: of its own/,
    );
  });

  it('that lacks a module names the package', async () => {
    await using peer = await startPython(`raise ModuleNotFoundError("No module named 'kazoo'")`);
    await expect(peer.next()).rejects.toThrow('install python3-kazoo with "npm run servers"');
  });

  it('tells what it said before it ended', async () => {
    await using peer = await startPython('print("last words")');
    await peer.ended;
    expect(await peer.next()).toBe('last words');
    await expect(peer.next()).rejects.toThrow('ended (exit code 0)');
  });
});
