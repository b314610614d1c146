/** TypeScript, decorators and all. */
import { createApp, locked, task } from 'lockkeeper';

export const app = createApp();

class Reports {
  @task()
  @locked((account: string) => `account:${account}`)
  async build(account: string): Promise<string> {
    return account;
  }
}

export const reports = app.register(new Reports());
