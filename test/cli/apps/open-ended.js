/** A module that keeps its process alive, as one does that has opened connections. */
import { app } from './orders.js';

export { app };

setInterval(() => {}, 1_000);
