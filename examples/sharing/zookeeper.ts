/** Shares locks with kazoo and Curator. Arguments: the URL of ZooKeeper. */
import { createLocks } from 'lockkeeper';

const locks = createLocks({
  coordinator: process.argv[2] ?? 'zk://localhost',
  resources: {
    storage: { capacity: 3 }, // a kazoo Semaphore of 3 at /lk/storage
    invoices: { layout: 'both' }, // whom kazoo's Lock and Curator's mutex keep out, and who keeps out both
  },
});

// Nobody gives it a capacity: a kazoo Lock at /lk/nightly-report
for (const name of ['nightly-report', 'storage', 'invoices']) {
  await locks.using(name, () => console.log(`Node holds ${name}`));
}
await locks.close();
