import { describe, expect, it } from 'vitest';
import { redact } from '../../src/check.js';
import { ConfigError } from '../../src/errors.js';
import { parseRedisUrl } from '../../src/redis/url.js';

const local = { kind: 'single', hosts: [{ host: 'localhost', port: 6379 }], tls: false, db: 0 };

describe('the URL of a Redis', () => {
  it.each([
    ['redis:', local],
    ['redis://', local],
    ['redis://db.example', { ...local, hosts: [{ host: 'db.example', port: 6379 }] }],
    ['redis://[::1]:7000/3', { ...local, hosts: [{ host: '::1', port: 7000 }], db: 3 }],
    ['redis://:secret@localhost', { ...local, password: 'secret' }],
    ['redis://me:p%40ss%2Fword@localhost', { ...local, username: 'me', password: 'p@ss/word' }],
    ['redis://localhost?prefix=mine', { ...local, prefix: 'mine' }],
    ['rediss://localhost', { ...local, tls: true }],
    [
      'redis+sentinel://:secret@a,b:7000/main/2?sentinelUsername=it&sentinelPassword=s%26p',
      {
        kind: 'sentinel',
        hosts: [
          { host: 'a', port: 26_379 },
          { host: 'b', port: 7000 },
        ],
        tls: false,
        db: 2,
        master: 'main',
        password: 'secret',
        sentinelUsername: 'it',
        sentinelPassword: 's&p',
      },
    ],
    [
      'rediss+cluster://a:7000,b',
      {
        kind: 'cluster',
        hosts: [
          { host: 'a', port: 7000 },
          { host: 'b', port: 6379 },
        ],
        tls: true,
        db: 0,
      },
    ],
  ])('%s is read', (url, target) => {
    expect(parseRedisUrl(url)).toEqual(target);
  });

  it.each([
    ['http://localhost', /has not the form redis:/],
    ['redis://local host', /host that is not of the form host:port/],
    ['redis://localhost:port', /host that is not of the form/],
    ['redis://localhost:70000', /host that is not of the form/],
    ['redis://localhost/first', /database that is not a number/],
    ['redis://localhost/1/2', /database that is not a number/],
    ['redis://%zz@localhost', /percent-encoded/],
    ['redis://a,b', /several hosts: say redis\+sentinel/],
    ['redis+sentinel://a,b', /does not name the master/],
    ['redis+cluster://a/1', /cluster has only one/],
    ['redis://localhost?prefx=a', /parameter `prefx`.*`prefix`/],
  ])('%s is rejected, with what is wrong about it', (url, message) => {
    expect(() => parseRedisUrl(url)).toThrow(message);
    expect(() => parseRedisUrl(url)).toThrow(ConfigError);
  });

  it('is never told with its passwords', () => {
    const url = 'redis+sentinel://me:secret@a,b/main/x?sentinelPassword=secret';
    expect(() => parseRedisUrl(url)).toThrow(/me:\*\*\*@a,b/);
    expect(() => parseRedisUrl(url)).not.toThrow(/secret/);
    expect(redact(url)).not.toContain('secret');
  });
});
