import amqplib from 'amqplib';
import { newName } from '../support/names.js';
import { Countdown, inThousands, type Runner } from './runner.js';

/**
 * amqplib and nothing else: a quorum queue, as many messages in hand as there are slots, each read and acknowledged by itself.
 * Nobody is taken care of who dies.
 */
export function rawAmqplib(url: string): Runner {
  const queue = newName('raw');
  const opening = open(url, queue);

  const body = (index: number) =>
    Buffer.from(JSON.stringify({ id: `${queue}-${index}`, task: 'work', args: [index], sentAt: Date.now() }));

  async function publish(indices: readonly number[]): Promise<void> {
    const { publisher } = await opening;
    for (const index of indices) publisher.sendToQueue(queue, body(index), { persistent: true });
    await publisher.waitForConfirms();
  }

  async function consume(concurrency: number, onMessage: (index: number) => void) {
    const { connection } = await opening;
    const channel = await connection.createChannel();
    await channel.prefetch(concurrency);
    await channel.consume(queue, (message) => {
      if (!message) return;
      onMessage(JSON.parse(message.content.toString()).args[0]);
      channel.ack(message);
    });
    return channel;
  }

  return {
    fill: (tasks) => inThousands(tasks, publish),
    drain: async (tasks, concurrency) => {
      const all = new Countdown(tasks);
      const channel = await consume(concurrency, all.one);
      await all.over;
      // By this answer the server has had what was acknowledged before.
      await channel.checkQueue(queue);
      await channel.close();
    },
    serve: async (begun) => {
      await consume(50, begun);
      return (index) => publish([index]);
    },
    close: async () => {
      const { connection } = await opening;
      await connection.close();
    },
  };
}

async function open(url: string, queue: string) {
  const connection = await amqplib.connect(url, { noDelay: true });
  // Its server may be stopped before it is.
  connection.on('error', () => {});
  const publisher = await connection.createConfirmChannel();
  await publisher.assertQueue(queue, { durable: true, arguments: { 'x-queue-type': 'quorum' } });
  return { connection, publisher };
}
