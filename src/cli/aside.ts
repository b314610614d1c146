import type { Command } from 'commander';
import type { App } from '../tasks/app.js';
import type { AsideReport } from '../tasks/operator.js';
import { list } from './flags.js';
import { type Answer, answer, type OperatorFlags, operator, queuesIn } from './operate.js';
import { instant, many, relative, table } from './text.js';
import { UsageError } from './usage-error.js';

interface AsideFlags extends OperatorFlags {
  readonly task?: string[];
  readonly all?: boolean;
}

/** `lockkeeper aside`: what was set aside, and what becomes of it. */
export function addAside(program: Command): void {
  const aside = program
    .command('aside')
    .description('messages that were set aside: list them, show one, put them back, or drop them');
  addList(aside);
  addShow(aside);
  addEach(aside, 'retry', 'put messages back into their queues, as new', 'put back', (app, one) =>
    app.operator.retry(one),
  );
  addEach(aside, 'drop', 'forget messages for good', 'dropped', (app, one) => app.operator.drop(one));
}

function addList(aside: Command): void {
  const list = aside
    .command('list', { isDefault: true })
    .description('list what was set aside, oldest first');
  answer<AsideFlags>(which(list), async (app, flags) => {
    const value = await found(app, flags, []);
    return { value, text: listing(value, app.clock.wall()) };
  });
}

function addShow(aside: Command): void {
  const show = aside
    .command('show')
    .description('show all that is known of one')
    .argument('<id>', 'of the call, or as `aside list` shows it');
  answer<AsideFlags, [string]>(operator(show), async (app, flags, id) => {
    const value = await found(app, flags, [id]);
    return value.length > 0 ? { value, text: value.map(whole).join('\n\n') } : nothing(value);
  });
}

function which(command: Command): Command {
  return operator(command).option('--task <names>', 'only messages of these tasks', list('--task'));
}

function addEach(
  aside: Command,
  name: string,
  description: string,
  done: string,
  act: (app: App, one: AsideReport) => Promise<boolean>,
): void {
  const each = which(aside.command(name).description(description))
    .argument('[ids...]', 'of the calls, or as `aside list` shows them')
    .option('--all', 'all that `aside list` shows with the same flags')
    .hook('preAction', ({ args }) => {
      if ((args.length === 0) === (each.opts<AsideFlags>().all === true)) return;
      throw new UsageError(`lockkeeper aside ${name} takes either ids, or --all`);
    });
  answer<AsideFlags, [string[]]>(each, async (app, flags, ids) => {
    const value: AsideReport[] = [];
    for (const one of await found(app, flags, ids)) if (await act(app, one)) value.push(one);
    if (value.length === 0) return nothing(value);
    const rows = table(value.map(brief), { indent: '  ' });
    return { value, text: `${many(value.length, 'message')} ${done}\n${rows}` };
  });
}

async function found(app: App, flags: AsideFlags, ids: readonly string[]): Promise<AsideReport[]> {
  const { task } = flags;
  return (await app.operator.asides(queuesIn(flags))).filter(({ id, message }) => {
    const isAsked = ids.length === 0 || ids.includes(id) || (message && ids.includes(message.id));
    return isAsked && (!task || (message && task.includes(message.task)));
  });
}

function nothing(value: unknown): Answer {
  return { value, text: 'No such message is set aside.', failed: true };
}

function listing(asides: readonly AsideReport[], now: number): string {
  if (asides.length === 0) return 'Nothing is set aside.';
  const rows = asides.map((aside) => [...brief(aside), relative(aside.at, now), aside.reason]);
  return table(rows, { header: ['id', 'call', 'task', 'queue', 'since', 'reason'] });
}

function brief({ id, queue, message }: AsideReport): string[] {
  return [id, message?.id ?? '(no message)', message?.task ?? '', queue];
}

function whole({ id, queue, at, reason, message, text }: AsideReport): string {
  const about: [string, string][] = [
    ['id', id],
    ['queue', queue],
    ['since', instant(at)],
    ['reason', reason],
  ];
  if (!message) return `${table(about)}\ntext    ${text}`;
  const { id: call, task, args, sentAt, retries, deferrals, origin = '' } = message;
  const rows = [
    ...about,
    ['call', call],
    ['task', task],
    ['sent', `${instant(sentAt)} ${origin && `by ${origin}`}`],
    ['attempts', String(retries)],
    ['deferrals', String(deferrals)],
    ['args', JSON.stringify(args)],
  ];
  return table(rows);
}
