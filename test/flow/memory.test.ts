import { createApp, memoryBroker, memoryCoordinator, memoryResults } from 'lockkeeper';
import { flowSuite } from './suite.js';

const servers = { broker: memoryBroker(), coordinator: memoryCoordinator(), results: memoryResults() };

flowSuite('memory with memory', {
  app: async (options) => createApp({ ...servers, ...options }),
  crash: (worker) => worker.crash(),
  lease: 1_000,
  rate: true,
});
