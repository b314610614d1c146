import { createApp, createWorker, currentTask, LockedTask, limited, locked, task } from 'lockkeeper';

interface Doc {
  id: string;
  text: string;
}

export const app = createApp({
  broker: process.env.LOCKKEEPER_BROKER,
  coordinator: process.env.LOCKKEEPER_COORDINATOR,
  resources: {
    storage: { capacity: 10 },
    'sms-api': { rate: '100/m', burst: 10 },
    'tenant:*': { capacity: 2 },
  },
});

// A function, with one limit.
export const saveToStorage = app.task('save-to-storage', locked('storage'), async (doc: Doc) => {
  return `saved ${doc.id}, ${doc.text.length} letters`;
});

// A function, with several limits and options.
export const notify = app.task(
  'notify',
  {
    limits: [limited('sms-api'), locked((doc) => `doc:${doc.id}`)],
    retry: { max: 3, delay: '1s' },
    timeLimit: '30s',
  },
  async (doc: Doc, to: string) => `told ${to} of ${doc.id} at attempt ${currentTask().attempt}`,
);

// Decorated methods. The key comes from the arguments, and is checked against them by the compiler.
class Reports {
  #built = 0;

  @task()
  @locked((account: string) => `tenant:${account}`, { countdown: '5s' })
  async build(account: string, month: number) {
    this.#built++;
    return `report ${this.#built} of ${account} for month ${month}`;
  }
}
export const reports = app.register(new Reports());

// A class of its own. Each run has a fresh instance.
class ImportData extends LockedTask {
  static readonly taskName = 'import-data';
  lockName = 'import-data';
  capacity = 1;
  countdown = '5s';
  retryOnLock = false;

  async lockedRun(url: string) {
    return `imported ${url}`;
  }
}
export const importData = app.register(ImportData);

// A function that was limited before anybody thought of tasks. Alone it waits its turn; as a task it takes its limit along.
const compress = locked('cpu', 2)(async (text: string) => text.replace(/(.)\1+/g, '$1'));
export const compressLater = app.task('compress', compress);

const worker = createWorker(app, { concurrency: 4 });
await worker.start();

const doc = { id: 'a1', text: 'hello' };
const results = [
  await saveToStorage.delay(doc),
  await notify.delay(doc, 'ann'),
  await reports.build.delay('acme', 7),
  await importData.delay('https://example.com/data'),
  await compressLater.delay('hello'),
];
for (const result of results) console.log(await result.get({ timeout: '30s' }));

console.log(await saveToStorage(doc), 'here and now');
console.log(await compress('balloon'), 'without the runner');
console.log(await app.locks.using('storage', async (permit) => `${permit.resource} is held`));

await app.close();
console.log('five ways, one limit each or more');
// prints: five ways, one limit each or more
