import { describe } from 'vitest';
import { closingSuite } from './broker/closing.js';
import { deliverySuite } from './broker/delivery.js';
import { inspectionSuite } from './broker/inspection.js';
import { type BrokerHarness, createKit } from './broker/kit.js';
import { lossSuite } from './broker/losses.js';
import { operatorSuite } from './broker/operators.js';
import { outcomeSuite } from './broker/outcomes.js';
import { revocationSuite } from './broker/revocation.js';
import { roomSuite } from './broker/rooms.js';
import { slotSuite } from './broker/slots.js';
import { stormSuite } from './broker/storm.js';
import { takingSuite } from './broker/taking.js';
import { tendingSuite } from './broker/tending.js';
import { textSuite } from './broker/texts.js';

export type { BrokerHarness } from './broker/kit.js';

/**
 * What is promised of every broker.
 *
 * Where brokers may differ they say so by their `features`, and by nothing else.
 */
export function brokerSuite(name: string, harness: BrokerHarness): void {
  describe(`${name} broker`, () => {
    const kit = createKit(harness);
    describe('delivery', () => deliverySuite(kit));
    describe('slots', () => slotSuite(kit));
    describe('outcomes', () => outcomeSuite(kit));
    describe('rooms', () => roomSuite(kit));
    describe('taking', () => takingSuite(kit));
    describe('tending', () => tendingSuite(kit));
    describe('losses', () => lossSuite(kit));
    describe('revocation', () => revocationSuite(kit));
    describe('operators', () => operatorSuite(kit));
    describe('inspection', () => inspectionSuite(kit));
    describe('texts', () => textSuite(kit));
    describe('closing', () => closingSuite(kit));
    describe('storm', () => stormSuite(kit));
  });
}
