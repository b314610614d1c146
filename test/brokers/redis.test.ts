import { brokerSuite } from '../conformance/broker.js';
import { useShared } from '../support/servers/index.js';
import { harnessOn } from './redis-kit.js';

brokerSuite('redis', harnessOn(useShared('redis')));
