import { brokerSuite } from '../conformance/broker.js';
import { useShared } from '../support/servers/index.js';
import { harnessOn } from './rabbitmq-kit.js';

brokerSuite('rabbitmq', harnessOn(useShared('rabbitmq')));
