/** An app without tasks. */
import { createApp } from 'lockkeeper';

export const app = createApp();
