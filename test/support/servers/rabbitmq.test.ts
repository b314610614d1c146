import { readdir, readlink } from 'node:fs/promises';
import { connect } from 'amqplib';
import { describe, expect, it } from 'vitest';
import { until } from '../until.js';
import { ask } from './ask.js';
import { useRabbitMq } from './index.js';

const hello = (port: number): Promise<string> =>
  ask({ port, text: 'AMQP\x00\x00\x09\x01', until: /capabilities/ });

describe('a RabbitMQ', () => {
  const rabbit = useRabbitMq({ settings: { channel_max: 77 } });

  it('is silent while frozen', async () => {
    await rabbit.freeze();
    await expect(hello(rabbit.port)).rejects.toThrow('No answer');
    await rabbit.thaw();
    await until(() => hello(rabbit.port));
  });

  it('is gone when killed, and comes back with its data', async () => {
    const before = await connect(rabbit.url);
    before.on('error', () => {});
    const channel = await before.createConfirmChannel();
    channel.on('error', () => {});
    await channel.assertQueue('kept', { durable: true });
    channel.sendToQueue('kept', Buffer.from('a'), { persistent: true });
    await channel.waitForConfirms();
    // The server confirms a message when it is on the disk, but writes down what queues there are a little later.
    await rabbit.ctl('eval', 'mnesia:sync_log().');

    await rabbit.kill();
    await expect(hello(rabbit.port)).rejects.toThrow('ECONNREFUSED');
    await rabbit.restart();

    const after = await connect(rabbit.url);
    const message = await (await after.createChannel()).get('kept', { noAck: true });
    expect(message).toMatchObject({ content: Buffer.from('a') });
    await after.close();
  });

  it('is told what to do by rabbitmqctl, with the settings it was given', async () => {
    expect(await rabbit.ctl('environment')).toContain('{channel_max,77}');
  });

  it('leaves nothing behind', async () => {
    const { folder } = rabbit;
    expect(await processesIn(folder)).not.toEqual([]);
    await rabbit.stop();
    await until(async () => (await processesIn(folder)).length === 0);
    await expect(readdir(folder)).rejects.toThrow('ENOENT');
  });
});

/** The processes that were started in the folder: the virtual machine, its helpers and the port mapper. */
async function processesIn(folder: string): Promise<string[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const folders = await Promise.all(pids.map((pid) => readlink(`/proc/${pid}/cwd`).catch(() => '')));
  return pids.filter((_, index) => folders[index]!.startsWith(folder));
}
