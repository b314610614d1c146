import type { Claim, EnterRequest } from '../coordinator.js';

/** What a node of ours says of its claim. */
export interface Facts {
  readonly id: string;
  readonly owner: string;
  readonly task?: string;
  readonly message?: string;
  /** Milliseconds. */
  readonly lease: number;
  readonly weight: number;
  /** What its owner takes the capacity to be. */
  readonly capacity: number;
  /** Of a contender that was not granted yet, though it may stand first: milliseconds that it outlives its owner's asking. */
  readonly waiting?: number;
  /** When it was granted, if that was later than its node was made; milliseconds since 1970. */
  readonly since?: number;
}

/** Of a node of another program: what kazoo calls its identifier. */
export interface ForeignFacts {
  readonly owner: string;
}

export function factsOf(request: EnterRequest, claim: Claim): Facts {
  const { owner, lease, weight, capacity } = request;
  const { id, task, message } = claim;
  return {
    id,
    owner,
    ...(task !== undefined && { task }),
    ...(message !== undefined && { message }),
    lease,
    weight,
    capacity,
  };
}

/** The owner as it is, for kazoo shows the data as whoever holds; the rest behind it, on a line of its own. */
export function encodeFacts({ owner, ...rest }: Facts): string {
  return `${owner}\n${JSON.stringify({ lk: 1, ...rest })}`;
}

export function decodeFacts(data: Buffer): Facts | ForeignFacts {
  const text = data.toString();
  const end = text.lastIndexOf('\n');
  const rest = end === -1 ? undefined : parsed(text.slice(end + 1));
  if (rest?.lk !== 1) return { owner: text };
  const { lk: _, ...facts } = rest;
  return { owner: text.slice(0, end), ...facts } as unknown as Facts;
}

export function isOurs(facts: Facts | ForeignFacts): facts is Facts {
  return 'id' in facts;
}

function parsed(text: string): Record<string, unknown> | undefined {
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    return undefined;
  }
}
