import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { locate, programs } from './programs.js';

/**
 * Makes a certificate for 127.0.0.1 and localhost that signs itself: `cert.pem` and `key.pem` in the folder. Returns it in
 * PEM.
 */
export async function makeCertificate(folder: string): Promise<string> {
  const request =
    'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost';
  const names = ['-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'];
  const files = ['-keyout', join(folder, 'key.pem'), '-out', join(folder, 'cert.pem')];
  await promisify(execFile)(locate(programs.openssl), [...request.split(' '), ...names, ...files]);
  return readFile(join(folder, 'cert.pem'), 'utf8');
}
