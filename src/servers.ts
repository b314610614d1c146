import { redact } from './check.js';

/** Of the parts that were opened by their URL. */
const urls = new WeakMap<object, string>();

/** Remembers where the part is. */
export function at<P extends object>(url: string, part: P): P {
  urls.set(part, redact(url));
  return part;
}

/** Where a part is, for people to read: its URL without secrets, or what kind it is if it was handed over. */
export function serverOf(part: { readonly kind: string }): string {
  return urls.get(part) ?? part.kind;
}
