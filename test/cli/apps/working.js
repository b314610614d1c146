/** The app with calls that wait for a worker: `LOCKKEEPER_TEST_CALLS` as JSON, a list of task and argument. */
import { app, save, send } from './orders.js';

export default app;

const tasks = { save, send };
const calls = JSON.parse(process.env.LOCKKEEPER_TEST_CALLS ?? '[]');
for (const [task, argument] of calls) await tasks[task]?.delay(argument);

app.on('task.lost', ({ task, cause }) => console.log(`LOST ${task} ${cause}`));
