/**
 * The bugs that the tests of the core must notice: those that implementations of Raft have
 * shipped, as far as the core has the part that could have them, and this design's own.
 * Names are unique; `--only` of scripts/mutants.ts picks by any part of them.
 */
import { handoverMutants } from "./HandoverMutants.ts"
import { memberMutants } from "./MemberMutants.ts"
import { admissionMutants } from "./AdmissionMutants.ts"
import { divergenceMutants } from "./DivergenceMutants.ts"
import { electionMutants } from "./ElectionMutants.ts"
import type { Mutant } from "./Mutant.ts"
import { readMutants } from "./ReadMutants.ts"
import { replicationMutants } from "./ReplicationMutants.ts"
import { requestMutants } from "./RequestMutants.ts"
import { snapshotMutants } from "./SnapshotMutants.ts"
import { storeMutants } from "./StoreMutants.ts"
import { transferMutants } from "./TransferMutants.ts"

export const mutants: ReadonlyArray<Mutant> = [
  ...electionMutants,
  ...replicationMutants,
  ...readMutants,
  ...requestMutants,
  ...snapshotMutants,
  ...transferMutants,
  ...admissionMutants,
  ...divergenceMutants,
  ...memberMutants,
  ...handoverMutants,
  ...storeMutants
]

/** What has no place in the core yet, or lies outside it, with what will bring it within reach. */
export const notYet: ReadonlyArray<readonly [bug: string, needs: string]> = [
  ["fsync is tried again after EIO, and acknowledged", "the file storage: test/storage"],
  ["the log is cut at the first bad checksum in its middle", "the file storage: test/storage/Damage.test.ts"],
  ["no directory fsync after a segment is made or renamed", "the file storage: test/storage/Rollover.test.ts"],
  ["the checksum does not cover length or index", "the file storage: test/storage/LogRecord.test.ts"],
  ["a read lease on the wall clock", "the runtime's clock: the core is given instants"]
]
