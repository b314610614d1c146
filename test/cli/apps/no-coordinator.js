import { createApp } from 'lockkeeper';

export const app = createApp({
  broker: 'redis://user:hunter2@localhost:1/0?password=hunter2',
  coordinator: 'nosuch://u:hunter2@localhost',
});
