import { expect, it } from "vitest"
import * as SnapshotLog from "../../bench/SnapshotLog.ts"
import * as VitalsFile from "../../bench/VitalsFile.ts"

const begun = "2026-01-01T00:00:00.000Z INFO  A taking a snapshot at index 7 of term 1\n"
const done = "2026-01-01T00:00:01.000Z INFO  A took snapshot at index 7 of term 1 (4711 bytes) in 23 ms\n"
const failed = "2026-01-01T00:00:01.000Z WARN  A no snapshot at index 7: the disk is full. The log is kept instead\n"

it("knows the snapshots that a log tells of, and whether one is being taken", () => {
  expect(SnapshotLog.read("")).toEqual({ begun: 0, failed: 0, taken: [] })
  expect(SnapshotLog.read(begun + done)).toEqual({ begun: 1, failed: 0, taken: [{ bytes: 4711, millis: 23 }] })
  expect(
    ["", begun, begun + done, begun + failed, begun + done + begun].map(SnapshotLog.read).map(SnapshotLog.isTaking)
  ).toEqual([false, true, false, false, true])
})

it("leaves out what a replica has not told to the end", () => {
  const vital = { at: 1, residentBytes: 2, heapBytes: 3, externalBytes: 4, pauseMillis: 5, collected: false }
  expect(VitalsFile.parse(`${JSON.stringify(vital)}\n{"at":2,`)).toEqual([vital])
})
