import { describe, expect, it, onTestFinished } from 'vitest';
import type { Coordinator, EnterRequest } from '../../src/locks/coordinator.js';
import { ask, exit, hold, newId, queued, soon } from '../conformance/coordinator/kit.js';
import { useShared } from '../support/servers/index.js';
import { until } from '../support/until.js';
import { useParties } from './etcd-kit.js';
import { SlowClient } from './etcd-slow-client.js';

const server = useShared('etcd');
const { connect, prefix, through } = useParties(server);

/** As whoever waits does: asks again whenever it is called. */
function keepAsking(party: Coordinator, request: EnterRequest): readonly string[] {
  const answers: string[] = [];
  const ask = async () => answers.push((await party.enter(request)).kind);
  onTestFinished(party.wake({ resource: request.resource, id: request.claims[0]!.id }, () => void ask()));
  return answers;
}

describe('a place whose watch was interrupted', () => {
  // etcd tells what was missed of the line and of the settings each by itself, and mostly the line first.
  it.each([
    ['the capacity was lowered', (party: Coordinator, name: string) => party.setCapacity(name, 1, soon)],
    ['there is a pause', (party: Coordinator, name: string) => party.pause(name, 60_000, soon)],
  ])('is not let in by what is told first, when %s meanwhile', async (_, change) => {
    const [{ party, client }, other] = [through(new SlowClient(server.url, prefix)), connect()];
    for (let round = 0; round < 5; round++) {
      const name = `interrupted-${newId()}`;
      const held = [await hold(other, name, { capacity: 2 }), await hold(other, name, { capacity: 2 })];
      const request = ask(name, newId(), { capacity: 2, line: true });
      queued(await party.enter(request));
      const answers = keepAsking(party, request);
      client.told.length = 0;
      const reopen = await client.breakStream();
      await change(other, name);
      await exit(other, name, held[0]!);
      reopen();

      await until(() => ['/', '%'].every((mark) => client.told.some((key) => key.startsWith(name + mark))));
      await party.inspect(name, soon);
      expect(answers).not.toContain('granted');
    }
  });
});
