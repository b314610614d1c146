import { describe, expect, it } from 'vitest';
import { delayedForLong, manyDelayed } from './delays.js';
import { type Amount, type FaultHarness, Play } from './play.js';
import { scenariosOn } from './scenarios.js';

/** How often each goes wrong here, if not twice. The soak of a broker does the same with 10,000 tasks, and more often. */
const times: Readonly<Record<string, number>> = {
  'connections are cut': 10,
  'answers to fetching and settling are lost': 5,
};

/** What becomes of tasks on a broker whose workers, connections and server fail. */
export function brokerFaultSuite(name: string, harness: FaultHarness): void {
  const playing = async <T>(amount: Amount, scenario: (play: Play) => Promise<T>): Promise<T> => {
    const play = new Play(harness, amount);
    try {
      return await scenario(play);
    } finally {
      await play.end();
    }
  };

  describe(`tasks on ${name} are all run when`, { timeout: 120_000 }, () => {
    for (const [fault, scenario] of Object.entries(scenariosOn(harness))) {
      it(fault, async () => {
        expect(await playing({ count: 400, times: times[fault] ?? 2 }, scenario)).toEqual([]);
      });
    }
  });

  describe(`tasks on ${name} that are delayed`, { timeout: 120_000 }, () => {
    it('for three leases run once each, though two workers are there', async () => {
      expect(await playing({ count: 10, times: 1 }, delayedForLong)).toEqual([]);
    });

    it('are shared when they are due, and none is lost when a worker is killed', async () => {
      const { wrong, share } = await playing({ count: 2_000, times: 1 }, (play) =>
        manyDelayed(play, { after: harness.takesDelayed ?? 1_000, over: 2_000 }),
      );
      expect(wrong).toEqual([]);
      expect(share).toBeGreaterThan(0.2);
      expect(share).toBeLessThan(0.8);
    });
  });
}
