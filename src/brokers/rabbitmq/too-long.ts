import { ConfigError } from '../../errors.js';

/** What a worker is told whose channel was closed because something was in hand on it for too long. */
export function tooLong(cause: Error): ConfigError {
  return new ConfigError(
    'RabbitMQ has taken away all that this worker had in hand, because a task ran for longer than its `consumer_timeout`. ' +
      'Let it allow more, with a line such as `consumer_timeout = 7200000` (milliseconds) in rabbitmq.conf',
    { cause },
  );
}
