import { userInfo } from 'node:os';
import type { Command } from 'commander';
import { checkWhole } from '../check.js';
import { readable } from '../duration.js';
import type { ResourceChange } from '../locks/events.js';
import type { Locks } from '../locks/locks.js';
import { duration } from './flags.js';
import { answer, type OperatorFlags, operator } from './operate.js';
import { flag } from './usage-error.js';

/** `lockkeeper locks set`, `pause`, `resume`, `release`: what an operator may do about a resource. */

interface ChangeFlags extends OperatorFlags {
  readonly reason?: string;
  /** Milliseconds. */
  readonly expires?: number;
}

const reason = ['--reason <text>', 'why, for those who read the log'] as const;

/** 'default' is no capacity. */
const capacity = flag((text) => {
  if (text === 'default') return { capacity: undefined };
  return { capacity: checkWhole(/^\d+$/.test(text) ? Number(text) : text, 'capacity') };
});

export function addSet(locks: Command): void {
  const set = locks
    .command('set')
    .description('set the capacity that counts for everybody, whatever they declare')
    .argument('<name>', 'resource')
    .argument('<capacity>', "a number, or 'default' for what is declared", capacity)
    .option(...reason)
    .option(
      '--expires <duration>',
      "how long it counts, such as '1h'; default: for good",
      duration('--expires'),
    );
  change<[ReturnType<typeof capacity>]>(
    set,
    async (locks, { expires: expiresIn, reason }, name, { capacity }) => {
      await locks.setCapacity(name, capacity, { expiresIn, reason });
    },
  );
}

export function addPause(locks: Command): void {
  const pause = locks
    .command('pause')
    .description('put a resource on hold for everybody: what is held stays held, nothing more is granted')
    .argument('<name>', 'resource')
    .argument('<duration>', "how long, such as '30s'", duration('duration'))
    .option(...reason);
  change<[number]>(pause, (locks, { reason }, name, ms) => locks.pause(name, ms, { reason }));
}

export function addResume(locks: Command): void {
  const resume = locks
    .command('resume')
    .description('end the hold of a resource')
    .argument('<name>', 'resource')
    .option(...reason);
  change(resume, (locks, { reason }, name) => locks.resume(name, { reason }));
}

export function addRelease(locks: Command): void {
  const release = locks
    .command('release')
    .description('take a permit, a place or a booking away from its owner, who is told that it is lost')
    .argument('<name>', 'resource')
    .argument('<id>', 'of the permit, as `locks` shows it, or of the call that it is held for')
    .requiredOption(...reason);
  change<[string]>(release, async (locks, { reason }, name, id) => {
    if (await locks.evict(name, id, { reason })) return;
    const { holders } = await locks.inspect(name);
    const ofCall = holders.filter(({ message }) => message === id);
    await Promise.all(ofCall.map((holder) => locks.evict(name, holder.id, { reason })));
  });
}

/** Does it, and answers with what has been done, as its event tells. */
function change<A extends unknown[]>(
  command: Command,
  act: (locks: Locks, flags: ChangeFlags, name: string, ...args: A) => Promise<void>,
): void {
  answer<ChangeFlags, [string, ...A]>(operator(command), async (app, flags, name, ...args) => {
    const value: { resource: string; change: ResourceChange; reason?: string; by: string }[] = [];
    app.on('resource.changed', (event) => value.push({ ...event, by: user() }));
    await act(app.locks, flags, name, ...args);
    if (value.length > 0)
      return { value, text: value.map(({ change }) => `${name}: ${sentence(change)}`).join('\n') };
    const text = `Nothing of ${name} is held, waited for or booked under this id: see lockkeeper locks ${name}`;
    return { value, text, failed: true };
  });
}

/** A container may have a user without a name. */
function user(): string {
  try {
    return userInfo().username;
  } catch {
    return String(process.getuid?.() ?? 'unknown');
  }
}

function sentence(change: ResourceChange): string {
  switch (change.kind) {
    case 'capacity': {
      if (change.capacity === undefined) return 'the capacity that is declared counts again';
      const until = change.expiresIn === undefined ? '' : `, for ${readable(change.expiresIn)}`;
      return `a capacity of ${change.capacity} counts for everybody${until}`;
    }
    case 'pause':
      return `paused for ${readable(change.duration)}`;
    case 'resume':
      return 'resumed';
    case 'evict':
      return `taken away: ${change.id}`;
  }
}
