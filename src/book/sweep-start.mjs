// In a checkout the sources are run as they are: a thread has to learn TypeScript before it can load its own.
import { register } from 'tsx/esm/api';

register();
await import('./sweep-worker.ts');
