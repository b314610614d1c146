import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.CuratorFrameworkFactory;
import org.apache.curator.framework.recipes.locks.InterProcessMutex;
import org.apache.curator.retry.ExponentialBackoffRetry;

/** Shares a lock with Lockkeeper. Arguments: the hosts of ZooKeeper. Needs curator-recipes. */
public class WithCurator {
  public static void main(String[] args) throws Exception {
    try (CuratorFramework client =
        CuratorFrameworkFactory.newClient(args[0], new ExponentialBackoffRetry(100, 3))) {
      client.start();
      // The resource `invoices`, declared with the layout `curator`, or `both`.
      InterProcessMutex mutex = new InterProcessMutex(client, "/lk/invoices");
      mutex.acquire();
      try {
        System.out.println("Java holds invoices");
      } finally {
        mutex.release();
      }
    }
  }
}
