import { redact } from './check.js';
import { ConfigError } from './errors.js';

export interface Host {
  readonly host: string;
  readonly port: number;
}

/** `host:port`, `host`, `[::1]:port`, or nothing for this machine. `url` is the whole, for the error. */
export function parseHost(text: string, standardPort: number, url: string): Host {
  const match = /^(?:\[([\da-fA-F:.]+)\]|([^:[\]\s]*))(?::(\d{1,5}))?$/.exec(text);
  const port = Number(match?.[3] ?? standardPort);
  if (!match || port < 1 || port > 65_535) {
    throw wrongUrl(url, 'has a host that is not of the form host:port');
  }
  return { host: match[1] ?? (match[2] || 'localhost'), port };
}

/** What is percent-encoded in a part of the URL. */
export function decodePart(text: string, url: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw wrongUrl(url, 'is not percent-encoded as a URL must be');
  }
}

/** What is wrong with the URL, without its secrets. */
export function wrongUrl(url: string, what: string): ConfigError {
  return new ConfigError(`The URL "${redact(url)}" ${what}`);
}
