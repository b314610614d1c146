/** One task throws where nobody catches it, while another runs. */
import { app, save } from './orders.js';

export { app };

const stray = app.task('stray', () => {
  setTimeout(() => {
    throw new Error('nobody catches this');
  }, 100);
});
app.on('task.lost', ({ task, cause }) => console.log(`LOST ${task} ${cause}`));
await save.delay(60_000);
await stray.delay();
