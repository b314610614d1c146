import { describe, expect, it } from 'vitest';
import { parseRabbitUrl } from '../../src/rabbitmq/url.js';

const local = {
  hosts: [{ host: 'localhost', port: 5672 }],
  tls: false,
  username: 'guest',
  password: 'guest',
  vhost: '/',
};

describe('a RabbitMQ URL', () => {
  it.each([
    ['amqp:', local],
    ['amqp://', local],
    ['amqp://localhost/', local],
    ['amqp://rabbit', { ...local, hosts: [{ host: 'rabbit', port: 5672 }] }],
    ['amqps://rabbit', { ...local, tls: true, hosts: [{ host: 'rabbit', port: 5671 }] }],
    ['amqp://rabbit:1234/shop', { ...local, hosts: [{ host: 'rabbit', port: 1234 }], vhost: 'shop' }],
    ['amqp://localhost/%2Fa', { ...local, vhost: '/a' }],
    ['amqp://me:a%40b@localhost', { ...local, username: 'me', password: 'a@b' }],
    ['amqp://localhost?prefix=shop', { ...local, prefix: 'shop' }],
    [
      'amqp://a,b:1,[::1]:2/v',
      {
        ...local,
        hosts: [
          { host: 'a', port: 5672 },
          { host: 'b', port: 1 },
          { host: '::1', port: 2 },
        ],
        vhost: 'v',
      },
    ],
  ])('is read: %s', (url, target) => {
    expect(parseRabbitUrl(url)).toEqual(target);
  });

  it.each([
    ['http://localhost', 'form'],
    ['amqp://localhost:port', 'host:port'],
    ['amqp://localhost:0', 'host:port'],
    ['amqp://localhost?heartbeat=1', '`heartbeat`'],
    ['amqp://localhost/%zz', 'percent-encoded'],
    ['amqp://localhost/a/b', 'form'],
  ])('is refused: %s', (url, why) => {
    expect(() => parseRabbitUrl(url)).toThrow(why);
  });

  it('shows no password when it is refused', () => {
    expect(() => parseRabbitUrl('amqp://me:secret@localhost?x=1')).toThrow(/^(?!.*secret)/);
  });
});
