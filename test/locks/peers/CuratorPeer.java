import java.util.HashMap;
import java.util.Map;
import java.util.Scanner;
import java.util.concurrent.TimeUnit;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.CuratorFrameworkFactory;
import org.apache.curator.framework.recipes.locks.InterProcessMutex;
import org.apache.curator.retry.RetryOneTime;

/** Mutexes of Curator, told what to do line by line. Arguments: hosts. */
public class CuratorPeer {
  private static CuratorFramework client;
  private static final Map<String, InterProcessMutex> mutexes = new HashMap<>();

  public static void main(String[] args) throws Exception {
    client = CuratorFrameworkFactory.newClient(args[0], 10_000, 10_000, new RetryOneTime(100));
    client.start();
    client.blockUntilConnected();
    System.out.println("ready");
    for (Scanner lines = new Scanner(System.in); lines.hasNextLine();) {
      System.out.println(answer(lines.nextLine().split(" ")));
    }
  }

  private static String answer(String[] words) throws Exception {
    switch (words[0]) {
      case "acquire":
        return mutex(words[1]).acquire(20, TimeUnit.SECONDS) ? "held" : "refused";
      case "attempt":
        return mutex(words[1]).acquire(0, TimeUnit.SECONDS) ? "held" : "refused";
      case "release":
        mutex(words[1]).release();
        return "released";
      case "count":
        return count(words[1], words[2], Double.parseDouble(words[3]));
      default:
        throw new IllegalArgumentException(words[0]);
    }
  }

  private static InterProcessMutex mutex(String path) {
    return mutexes.computeIfAbsent(path, each -> new InterProcessMutex(client, each));
  }

  /** Adds to a number in steps that are not one, under the lock, for so long. Says how often. */
  private static String count(String path, String counter, double seconds) throws Exception {
    int times = 0;
    long end = System.nanoTime() + (long) (seconds * 1e9);
    while (System.nanoTime() < end) {
      mutex(path).acquire();
      try {
        int value = Integer.parseInt(new String(client.getData().forPath(counter)));
        Thread.sleep(1);
        client.setData().forPath(counter, String.valueOf(value + 1).getBytes());
      } finally {
        mutex(path).release();
      }
      times++;
    }
    return String.valueOf(times);
  }
}
