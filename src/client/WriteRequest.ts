/** What a put and a delete may be asked for, as people write it and as the gateway takes it. */
import type { Json } from "./GatewayJson.ts"
import { toBase64 } from "./GatewayJson.ts"
import type { Bytes, Keys } from "./KeyRange.ts"
import type { LeaseId } from "./LeaseId.ts"
import { encodeKeys, flag, integer } from "./RangeRequest.ts"

export interface PutOptions {
  /** The key goes when this lease does. Without one a lease that the key had is taken from it. */
  readonly lease?: LeaseId | undefined
  /** Answers with what was there before. */
  readonly previous?: boolean | undefined
  /** Leaves the lease as it is; the key must be there. */
  readonly keepLease?: boolean | undefined
}

export interface TouchOptions {
  /** The value stays, and gets this lease, or none. The key must be there. */
  readonly lease?: LeaseId | undefined
  readonly previous?: boolean | undefined
}

export interface DeleteOptions {
  /** Answers with what is deleted. */
  readonly previous?: boolean | undefined
}

/**
 * On Balsa carried out once under this name, however often it is sent: 1 to 255 printable ASCII characters. etcd does not know
 * it, so by itself it makes the client repeat nothing.
 */
export interface Named {
  readonly idempotencyKey?: string | undefined
}

/** What a header can carry, and Balsa takes. */
export const isIdempotencyKey = (text: string): boolean => /^[!-~](?:[ -~]{0,253}[!-~])?$/.test(text)

export const encodePut = (key: Bytes, value: Bytes, options: PutOptions): Json => ({
  key: toBase64(key),
  value: toBase64(value),
  ...integer("lease", options.lease),
  ...flag("prev_kv", options.previous),
  ...flag("ignore_lease", options.keepLease)
})

export const encodeTouch = (key: Bytes, options: TouchOptions): Json => ({
  key: toBase64(key),
  ...integer("lease", options.lease),
  ...flag("prev_kv", options.previous),
  ignore_value: true
})

export const encodeDelete = (keys: Keys, options: DeleteOptions): Json => ({
  ...encodeKeys(keys),
  ...flag("prev_kv", options.previous)
})
