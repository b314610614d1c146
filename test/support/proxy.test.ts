import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startProxy, type TcpProxy } from './proxy.js';
import { until } from './until.js';

/** What a side has received, and how it was ended. */
interface Side {
  readonly socket: Socket;
  text: string;
  end: 'open' | 'end' | 'reset';
}

function watch(socket: Socket): Side {
  const side: Side = { socket, text: '', end: 'open' };
  socket.setEncoding('utf8');
  socket.on('data', (text) => {
    side.text += text;
  });
  socket.on('end', () => {
    side.end = 'end';
  });
  socket.on('error', () => {
    side.end = 'reset';
  });
  return side;
}

describe('the proxy', () => {
  let server: Server;
  let proxy: TcpProxy;
  let served: Side[];
  const clients: Socket[] = [];

  beforeEach(async () => {
    served = [];
    server = createServer((socket) => {
      const side = watch(socket);
      served.push(side);
      // Says everything back, in capitals.
      socket.on('data', (text: string) => socket.write(text.toUpperCase()));
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    proxy = await startProxy((server.address() as AddressInfo).port);
  });

  afterEach(async () => {
    proxy.stop();
    for (const socket of [...clients.splice(0), ...served.map((side) => side.socket)]) socket.destroy();
    server.close();
    await until(() => proxy.open === 0);
  });

  async function client(): Promise<Side> {
    const socket = connect(proxy.port, '127.0.0.1');
    clients.push(socket);
    const side = watch(socket);
    await once(socket, 'connect');
    return side;
  }

  it('stands in for the server in its URL', async () => {
    const { port } = server.address() as AddressInfo;
    expect(proxy.url(`redis://:x@127.0.0.1:${port}/2`)).toBe(`redis://:x@127.0.0.1:${proxy.port}/2`);
    const other = await startProxy(`amqp://guest:guest@127.0.0.1:${port}`);
    expect(other.url(`http://127.0.0.1:${port}`)).toBe(`http://127.0.0.1:${other.port}`);
    other.stop();
    await expect(startProxy(`etcd://127.0.0.1:1,127.0.0.1:${port}`)).rejects.toThrow(
      'Expected a URL with one',
    );
  });

  it('carries both ways, and counts', async () => {
    const alice = await client();
    alice.socket.write('hello');
    await until(() => alice.text === 'HELLO');
    expect(proxy.traffic).toEqual({
      connections: 1,
      requestBursts: 1,
      requestBytes: 5,
      replyBursts: 1,
      replyBytes: 5,
    });
    proxy.resetTraffic();
    expect(proxy.traffic.requestBursts).toBe(0);
  });

  it('carries more than its buffers hold, whole', async () => {
    const alice = await client();
    alice.socket.write('x'.repeat(5_000_000));
    await until(() => alice.text.length === 5_000_000);
  });

  it('shows requests to whoever counts something else', async () => {
    const seen: string[] = [];
    proxy.onRequest((chunk) => seen.push(chunk.toString()));
    const alice = await client();
    alice.socket.write('get');
    await until(() => alice.text === 'GET');
    expect(seen).toEqual(['get']);
  });

  it('passes an end on, each way by itself', async () => {
    const alice = await client();
    alice.socket.end('bye');
    await until(() => served[0]?.end === 'end' && alice.end === 'end');
    expect(alice.text).toBe('BYE');
  });

  it('lets nothing through while paused, not even an end, and all of it afterwards', async () => {
    const alice = await client();
    const bob = await client();
    alice.socket.write('a');
    bob.socket.write('b');
    await until(() => alice.text === 'A' && bob.text === 'B');

    proxy.pause();
    alice.socket.write('b');
    bob.socket.end();
    const carol = await client();
    carol.socket.write('c');
    await quiet();
    expect(served.map(({ text, end }) => text + end)).toEqual(['aopen', 'bopen', 'open']);

    proxy.resume();
    await until(() => alice.text === 'AB' && carol.text === 'C' && bob.end === 'end');
  });

  it('can pause replies alone: the request takes effect', async () => {
    const alice = await client();
    proxy.pause('replies');
    alice.socket.write('a');
    await until(() => served[0]?.text === 'a');
    await quiet();
    expect(alice.text).toBe('');
    proxy.resume();
    await until(() => alice.text === 'A');
  });

  it('can pause requests alone: what the server says arrives', async () => {
    const alice = await client();
    await until(() => served.length === 1);
    proxy.pause('requests');
    alice.socket.write('a');
    served[0]?.socket.write('news');
    await until(() => alice.text === 'news');
    await quiet();
    expect(served[0]?.text).toBe('');
  });

  it('forgets what it held when it is cut', async () => {
    const alice = await client();
    await until(() => served.length === 1);
    proxy.pause();
    alice.socket.write('a');
    await quiet();
    proxy.cut();
    proxy.resume();
    await until(() => alice.end === 'reset' && served[0]?.end === 'reset');
    expect(served[0]?.text).toBe('');
  });

  it('cuts with a reset or in good order, and lets connect again', async () => {
    const alice = await client();
    const bob = await client();
    await until(() => served.length === 2);
    proxy.cut('end');
    await until(() => alice.end === 'end' && bob.end === 'end' && served.every(({ end }) => end === 'end'));
    const carol = await client();
    await until(() => served.length === 3);
    proxy.cut();
    await until(() => carol.end === 'reset' && served[2]?.end === 'reset');
  });

  it('refuses new connections and leaves the others', async () => {
    const alice = await client();
    proxy.refuse();
    await expect(client()).rejects.toThrow('ECONNREFUSED');
    alice.socket.write('a');
    await until(() => alice.text === 'A');
    await proxy.accept();
    const bob = await client();
    bob.socket.write('b');
    await until(() => bob.text === 'B');
  });

  it('makes everything later, in order, and nothing slower than that', async () => {
    const alice = await client();
    await until(() => served.length === 1);
    proxy.delay(60);
    const before = performance.now();
    for (const letter of 'abcdefghij') alice.socket.write(letter);
    await until(() => alice.text === 'ABCDEFGHIJ');
    const took = performance.now() - before;
    expect(took).toBeGreaterThanOrEqual(119);
    expect(took).toBeLessThan(600);
  });

  it('cuts replies into pieces, and requests not', async () => {
    const alice = await client();
    await until(() => served.length === 1);
    const pieces = { requests: 0, replies: 0 };
    served[0]?.socket.on('data', () => pieces.requests++);
    alice.socket.on('data', () => pieces.replies++);
    proxy.cutReplies(3);
    alice.socket.write('abcdefgh');
    await until(() => alice.text === 'ABCDEFGH');
    expect(pieces.requests).toBe(1);
    expect(pieces.replies).toBeGreaterThan(1);
  });

  it('drops the reply to the request that is meant, and that connection', async () => {
    const alice = await client();
    const bob = await client();
    const dropped = proxy.dropReply('release');
    alice.socket.write('acquire');
    await until(() => alice.text === 'ACQUIRE');
    bob.socket.write('release');
    await dropped;
    await until(() => bob.end === 'reset');
    expect(bob.text).toBe('');
    expect(served.map(({ text }) => text)).toEqual(['acquire', 'release']);

    alice.socket.write(' release');
    await until(() => alice.text === 'ACQUIRE RELEASE');
  });

  it('resets a client whose server is gone', async () => {
    server.close();
    const alice = await client();
    await until(() => alice.end === 'reset');
  });
});

/** Gives what must not come the time to come. */
const quiet = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 60));
