/** What the store, or a look at the request, has against it, in etcd's words. */
import type { Rejection } from "../kv/KvCommand.ts"
import type { TxnProblem } from "../kv/TxnCheck.ts"
import { maxLooked } from "../kv/Txns.ts"
import { type GatewayError, invalid, make } from "./GatewayError.ts"

export const keyNotProvided = invalid("etcdserver: key is not provided")
export const requestTooLarge = invalid("etcdserver: request is too large")
export const keyNotFound = invalid("etcdserver: key not found")
export const futureRevision = make(400, 11, "etcdserver: mvcc: required revision is a future revision")
export const compacted = make(400, 11, "etcdserver: mvcc: required revision has been compacted")
export const leaseNotFound = make(404, 5, "etcdserver: requested lease not found")
export const leaseExists = make(412, 9, "etcdserver: lease already exists")
/** etcd has no limit on what operations read; its words for too many of them tell clients what to do. */
const tooMuchRead = make(
  400,
  3,
  "etcdserver: too many operations in txn request",
  `the ranges that the transaction reads and compares have more than ${maxLooked} keys together; divide it, or give the ranges limits`
)
const leaseTtlTooLarge = make(400, 11, "etcdserver: too large lease TTL")

export const ofRejection = (reason: Rejection): GatewayError => {
  switch (reason) {
    case "KeyNotFound":
      return keyNotFound
    case "LeaseNotFound":
      return leaseNotFound
    case "LeaseExists":
      return leaseExists
    case "LeaseTtlTooLarge":
      return leaseTtlTooLarge
    case "Compacted":
      return compacted
    case "FutureRevision":
      return futureRevision
    case "TooMuchRead":
      return tooMuchRead
  }
}

export const ofProblem = (problem: TxnProblem): GatewayError => {
  switch (problem) {
    // etcd's words for it.
    case "NoOperation":
      return keyNotFound
    case "KeyNotProvided":
      return keyNotProvided
    case "ValueProvided":
      return invalid("etcdserver: value is provided")
    case "LeaseProvided":
      return invalid("etcdserver: lease is provided")
    case "TooManyOperations":
      return invalid("etcdserver: too many operations in txn request")
    case "DuplicateKey":
      return invalid("etcdserver: duplicate key given in txn request")
  }
}

/** As etcd's locks and elections tell it: they are its own clients, and pass on the text without the code. */
export const unknown = (error: GatewayError): GatewayError =>
  error.status < 429 ? { ...error, status: 500, code: 2 } : error
