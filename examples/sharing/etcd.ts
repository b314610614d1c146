/** Shares a lock with etcdctl, and with Go. Arguments: the URL of etcd. */
import { createLocks } from 'lockkeeper';

const locks = createLocks({ coordinator: process.argv[2] ?? 'etcd://localhost:2379' });

await locks.using('nightly-report', () => console.log('Node holds nightly-report'));
await locks.close();
