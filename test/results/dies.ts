/**
 * Sends states and, where the store says that they are on their way, a word after each that says so; then it is killed,
 * after so many turns of the event loop. `dies.ts URL REPLIES WORDS SIZE TURNS`: the queues of both, and the bytes of a state.
 */
import { RabbitConnection } from '../../src/rabbitmq/connection.js';
import { rabbitFrom } from '../../src/rabbitmq/open.js';
import { Publisher } from '../../src/rabbitmq/publisher.js';
import { rpcResults } from '../../src/results/rpc.js';

const [url = '', to = '', key = '', size = '', turns = ''] = process.argv.slice(2);
const store = rpcResults(url);
const words = new Publisher(new RabbitConnection(rabbitFrom(url)));
await Promise.all([store.ready?.(), words.open()]);
const value = 'x'.repeat(Number(size));

for (let turn = 0; turn < Number(turns); turn++) {
  for (let i = 0; i < 20; i++) {
    const id = `${turn}.${i}`;
    void store.put(id, { state: 'done', at: 1, value }, 60_000, { to });
    if (store.hasSent) void words.publish({ key, body: Buffer.from(id) });
  }
  await new Promise((resolve) => setImmediate(resolve));
}
process.kill(process.pid, 'SIGKILL');
