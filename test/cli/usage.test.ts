import { describe, expect, it } from 'vitest';
import { cli, module } from './kit.js';

/** Is not even looked at. */
const app = './nowhere.js';

describe('the command line', () => {
  it('explains itself, and each of its commands', async () => {
    const { code, output } = await cli(['--help']);
    expect(code).toBe(0);
    for (const name of ['worker', 'locks', 'why', 'queues', 'aside']) {
      expect(output).toMatch(new RegExp(`^  ${name} `, 'm'));
    }
    const helps = [
      ['worker', '--health-port <port>'],
      ['locks', 'release [options] <name> <id>'],
      ['locks set', '--expires <duration>'],
      ['why', '--watch <duration>'],
      ['queues', '--json'],
      ['aside', 'retry [options] [ids...]'],
      ['aside retry', '--all'],
    ] as const;
    const answers = await Promise.all(helps.map(([name]) => cli([...name.split(' '), '--help'])));
    for (const [i, [name, text]] of helps.entries()) {
      expect([name, answers[i]?.code]).toEqual([name, 0]);
      expect(answers[i]?.output).toContain(text);
    }
  });

  it('tells its version', async () => {
    expect((await cli(['--version'])).output).toMatch(/^\d+\.\d+\.\d+\n$/);
  });

  it.each([
    [[], 'Usage: lockkeeper'],
    [['workers'], "unknown command 'workers'"],
    [['worker', '--nope'], "unknown option '--nope'"],
    [['worker', app, '--concurrency', 'many'], '`--concurrency`'],
    [['worker', app, '--drain', 'long'], '`--drain` to be a duration'],
    [['worker', app, '--queues', 'a,,b'], '`--queues`'],
    [['worker', app, '--loglevel', 'loud'], '`--loglevel`'],
    [['why'], "missing required argument 'id'"],
    [['locks'], 'Which app?'],
    [['locks', 'set', 'storage', 'ten'], '`capacity`'],
    [['locks', 'release', 'storage', 'x'], '--reason'],
    [['aside', 'retry', '--app', app], 'either ids, or --all'],
    [['aside', 'drop', 'x', '--all', '--app', app], 'either ids, or --all'],
  ])('ends with 2 when it is called wrongly: %j', async (args, complaint) => {
    const { code, output, errors } = await cli(args);
    expect({ code, output }).toEqual({ code: 2, output: '' });
    expect(errors).toContain(complaint);
    expect(errors).not.toContain('    at ');
  });

  it.each([
    ['nowhere.js', 'There is no module '],
    ['no-app.js', 'exports no app: it has to export one as `app`, or by default. It exports little, nothing'],
    ['broken.js', 'RangeError: this module cannot be loaded'],
  ])('ends with 1 when it cannot have the app: %s', async (path, complaint) => {
    const { code, output, errors } = await cli(['locks', '--app', await module(path)]);
    expect({ code, output }).toEqual({ code: 1, output: '' });
    expect(errors).toContain(complaint);
  });

  it('shows no secret, whatever fails', async () => {
    const { code, output, errors } = await cli(['worker', await module('no-coordinator.js')]);
    expect(code).toBe(1);
    expect(errors).toContain('***');
    expect(output + errors).not.toContain('hunter2');
  });
});
