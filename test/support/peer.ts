import type { ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { type Command, Launched, spawnMortal } from './servers/process.js';
import { locate, programs, pythonModules } from './servers/programs.js';
import { until } from './until.js';

/**
 * Another program that is told what to do, and tells what it did, in lines: it reads them from its standard input and
 * prints them to its standard output. It dies with us, and can be frozen and killed.
 */
export class Peer extends Launched {
  readonly #child: ChildProcess;
  readonly #lines: string[] = [];
  #rest = '';
  #silent = false;

  constructor(child: ChildProcess) {
    super(child);
    this.#child = child;
    child.stdout!.on('data', (text: string) => this.#read(text));
    child.stdout!.once('end', () => {
      this.#silent = true;
    });
    // What is said to a peer that has ended goes nowhere; `next` tells.
    child.stdin!.on('error', () => {});
  }

  /** Lines it has printed that nobody has asked for yet. */
  get unread(): readonly string[] {
    return this.#lines;
  }

  say(line: string): void {
    this.#child.stdin!.write(`${line}\n`);
  }

  /** The next line it prints. Throws, with all it printed, when it ends instead or takes too long. */
  async next(timeoutMs = 20_000): Promise<string> {
    await until(() => this.#lines.length > 0 || this.#silent, timeoutMs).catch(() => {});
    const line = this.#lines.shift();
    if (line !== undefined) return line;
    const why = this.#silent ? `ended (${await this.ended})` : `said nothing for ${timeoutMs} ms`;
    throw new Error(`The peer ${why}${hint(this.output())}. It had printed:\n${this.output()}`);
  }

  /** Says a line, and waits for the next it prints. */
  async ask(line: string, timeoutMs?: number): Promise<string> {
    this.say(line);
    return this.next(timeoutMs);
  }

  #read(text: string): void {
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop() ?? '';
    this.#lines.push(...lines);
  }
}

export async function startPeer(command: Command): Promise<Peer> {
  return new Peer(await spawnMortal(command, 'pipe'));
}

/** A Python program: its text, or the URL of its file. Debian's Python runs it, which knows Debian's modules. */
export function startPython(source: string | URL, ...args: string[]): Promise<Peer> {
  const script = source instanceof URL ? [fileURLToPath(source)] : ['-c', source];
  return startPeer({ program: locate(programs.python), args: ['-u', ...script, ...args] });
}

/** A Java program of one file that uses Curator. It is compiled as it starts, so its first line takes a second or two. */
export function startJava(source: URL, ...args: string[]): Promise<Peer> {
  locate(programs.javac);
  const classPath = [locate(programs.curator), locate(programs.slf4j)].join(':');
  const jvm = ['-Xmx128m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1'];
  return startPeer({
    program: locate(programs.java),
    args: [...jvm, '-cp', classPath, fileURLToPath(source), ...args],
  });
}

/** A TypeScript program in a process of its own, which may import `lockkeeper`. */
export function startScript(source: URL, ...args: string[]): Promise<Peer> {
  return startPeer({
    program: process.execPath,
    args: ['--import', 'tsx', fileURLToPath(source), ...args],
    cwd: fileURLToPath(new URL('../..', import.meta.url)),
  });
}

function hint(output: string): string {
  const name = /No module named '(\w+)/.exec(output)?.[1];
  const debianPackage = pythonModules.find(({ module }) => module === name)?.debianPackage;
  return debianPackage ? `: install ${debianPackage} with "npm run servers"` : '';
}
