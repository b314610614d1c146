import { createInterface } from 'node:readline';
import { ConfigError } from 'lockkeeper';

/** Says its lines back, and the name of something of the package's. */
console.log(process.argv.slice(2).join(' '));
for await (const line of createInterface({ input: process.stdin })) {
  console.log(`${line} ${ConfigError.name}`);
}
