/** Prints what a Redis is answered to where ioredis is not installed. */
import { register } from 'node:module';
import { createLocks } from 'lockkeeper';

const hooks = `export async function resolve(specifier, context, next) {
  if (specifier !== 'ioredis') return await next(specifier, context);
  throw Object.assign(new Error('Cannot find package'), { code: 'ERR_MODULE_NOT_FOUND' });
}`;
register(`data:text/javascript,${encodeURIComponent(hooks)}`);

const locks = createLocks({ coordinator: 'redis://localhost' });
await locks.acquire('storage').catch((error) => console.log(`${error.code}: ${error.message}`));
await locks.close();
