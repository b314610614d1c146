export { ManualClock } from './manual-clock.js';
export { createTestApp, type PutOff, type TestApp, type TestAppOptions } from './test-app.js';
