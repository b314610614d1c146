import { randomBytes } from 'node:crypto';

/** So many ids share what is random in them. */
const perSeries = 10_000;

/**
 * Ids that nobody else has, for one claim after the other: a number, and eight letters that are drawn anew every 10,000
 * claims. They are no longer than twelve characters because V8 makes longer ones in pieces that it puts together when
 * somebody looks, at half the price of a permit.
 */
export class ClaimIds {
  #letters = '';
  #number = perSeries;

  next(): string {
    if (this.#number === perSeries) {
      this.#letters = draw();
      this.#number = 0;
    }
    return `${this.#number++}${this.#letters}`;
  }
}

/** Some 47 bits, in letters and digits only: stores have their own use for other characters. */
function draw(): string {
  return randomBytes(6).toString('base64').replace(/[+/]/g, 'x');
}
