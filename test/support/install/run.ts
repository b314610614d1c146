import { installMissing } from './install.js';
import { thisMachine } from './this-machine.js';

/** `npm run servers` */
if (!(await installMissing(thisMachine))) process.exitCode = 1;
