import type { Delivery } from '../brokers/broker.js';
import type { Message } from '../message.js';

/** The delivery with what was worked out about its message, so that whoever has it next need not do it again. */
export function withMessage(delivery: Delivery, message: Message): Delivery {
  if (message === delivery.message) return delivery;
  const { queue, room, losses, revoked } = delivery;
  return {
    message,
    queue,
    room,
    losses,
    revoked,
    settle: (outcome) => delivery.settle(outcome),
  };
}
