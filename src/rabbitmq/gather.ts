import type { AmqpConnection } from './client.js';

/**
 * amqplib writes what each channel has to send by itself, and a worker has many channels. Held back until all of them have
 * written, it goes out in one packet: that is a call of the system for both ends, in place of one for each channel.
 */
export function gatherWrites({ connection }: AmqpConnection): void {
  const stream = connection?.stream;
  if (!stream?.cork || !stream.uncork || !stream.write) return;
  const write = stream.write.bind(stream);
  let isHeld = false;
  stream.write = (...args) => {
    if (!isHeld) {
      isHeld = true;
      stream.cork?.();
      process.nextTick(() => {
        isHeld = false;
        stream.uncork?.();
      });
    }
    return write(...args);
  };
}
