import type { KeyValue } from './client.js';
import type { ResourceKeys } from './keys.js';

/** What operators stored for a resource. */
export interface Settings {
  readonly capacity?: {
    readonly value: number;
    readonly lease: string;
  };
  /** The revision that the capacity was stored at; 0 when there is none. */
  readonly capacityAt: number;
  readonly pause?: {
    /** Milliseconds from when it was stored, at most. */
    readonly ms: number;
    readonly reason?: string;
    readonly lease: string;
  };
}

export const noSettings: Settings = { capacityAt: 0 };

export function readSettings(keys: ResourceKeys, kvs: readonly KeyValue[]): Settings {
  return kvs.reduce((settings, kv) => withSetting(settings, keys, kv), noSettings);
}

/** The settings after a key of theirs was stored. */
export function withSetting(settings: Settings, keys: ResourceKeys, kv: KeyValue): Settings {
  const { lease } = kv;
  if (kv.key.equals(keys.capacity)) {
    const { capacity: _, ...rest } = settings;
    const value = Number(kv.value.toString());
    const capacity = Number.isSafeInteger(value) && value > 0 ? { value, lease } : undefined;
    return { ...rest, capacityAt: Number(kv.mod_revision), ...(capacity && { capacity }) };
  }
  return kv.key.equals(keys.pause) ? { ...settings, pause: { ...readPause(kv.value), lease } } : settings;
}

/** The settings after a key of theirs was deleted. */
export function withoutSetting(settings: Settings, keys: ResourceKeys, key: Buffer): Settings {
  const { capacity, pause, ...rest } = settings;
  if (key.equals(keys.capacity)) return { ...(pause && { pause }), capacityAt: 0 };
  return key.equals(keys.pause) ? { ...rest, ...(capacity && { capacity }) } : settings;
}

export function encodePause(ms: number, reason: string | undefined): Buffer {
  return Buffer.from(JSON.stringify({ ms, ...(reason && { reason }) }));
}

/** A pause that somebody stored by hand counts too, whatever it says. */
function readPause(value: Buffer): { ms: number; reason?: string } {
  try {
    const { ms, reason } = JSON.parse(value.toString());
    return { ms: Number(ms) || unknownMs, ...(typeof reason === 'string' && { reason }) };
  } catch {
    return { ms: unknownMs };
  }
}

const unknownMs = 1_000;
