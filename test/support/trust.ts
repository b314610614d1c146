import { afterEach, beforeEach, vi } from 'vitest';

/** The tests of this block trust a server whose certificate is its own. That Node then warns is not what is tested. */
export function trustAnyServer(): void {
  beforeEach(() => {
    vi.stubEnv('NODE_TLS_REJECT_UNAUTHORIZED', '0');
    vi.spyOn(process, 'emitWarning').mockReturnValue();
  });
  afterEach(() => {
    vi.unstubAllEnvs();
    vi.restoreAllMocks();
  });
}
