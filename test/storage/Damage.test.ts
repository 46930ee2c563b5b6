/** Damage that no crash explains is refused, with the file and the place, and nothing is changed. */
import * as fs from "node:fs"
import { expect, test } from "vitest"
import { ReplicaId } from "../../src/raft/LogEntry.ts"
import * as Segment from "../../src/storage/Segment.ts"
import {
  append,
  bend,
  command,
  flip,
  found,
  image,
  newDirectory,
  noOp,
  recordsOf,
  segmentPath,
  start,
  startFailing,
  vote
} from "./Fixture.ts"

/** Three records in one segment, as a kill leaves them. */
const killed = async (): Promise<string> => {
  const directory = newDirectory()
  const storage = await start(directory)
  await storage.persist(vote(1, "B"))
  await storage.persist(append(command(1, 1, Buffer.from("two"))))
  await storage.persist(append(noOp(2, 1)))
  return image(directory)
}

/** Records of about 1,000 bytes, three to a segment of 4,096. */
const manySegments = async (records: number): Promise<string> => {
  const directory = newDirectory()
  const storage = await start(directory)
  for (let i = 1; i <= records; i++) await storage.persist(append(command(i, 1, Buffer.alloc(1000, i))))
  return image(directory)
}

const expectRefused = async (directory: string, file: string, offset: number): Promise<void> => {
  const before = fs.readFileSync(file)
  const error = await startFailing(directory)
  expect(error.reason).toBe("Corrupt")
  expect(error.message).toContain(`${file} is damaged at offset ${offset}: `)
  expect(fs.readFileSync(file).equals(before)).toBe(true)
}

test("every bit of the first and of a middle record", async () => {
  const whole = await killed()
  for (const { start: from, end } of recordsOf(segmentPath(whole)).slice(0, 2)) {
    for (let bit = from * 8; bit < end * 8; bit++) {
      const directory = image(whole)
      flip(segmentPath(directory), bit)
      await expectRefused(directory, segmentPath(directory), from)
    }
  }
})

test("the message says what was expected and what to do", async () => {
  const directory = await killed()
  const [, second, third] = recordsOf(segmentPath(directory))
  flip(segmentPath(directory), second!.end * 8 - 1)
  const { message } = await startFailing(directory)
  expect(message).toContain(`record 2 was expected`)
  expect(message).toContain(`an undamaged one follows at offset ${third!.start}`)
  for (const command of ["storage inspect", "storage verify", "storage repair --from-peers"]) {
    expect(message).toContain(`balsa ${command} --data-dir ${directory}`)
  }
  expect(message).toContain("it does not vote until it has caught up")
  expect(message).toContain("balsa restore")
})

test("every bit of a segment's header", async () => {
  const whole = await killed()
  const { start: headerBytes } = recordsOf(segmentPath(whole))[0]!
  expect(headerBytes).toBeGreaterThan(Segment.fixedHeaderBytes)
  for (let bit = 0; bit < headerBytes * 8; bit++) {
    const directory = image(whole)
    flip(segmentPath(directory), bit)
    await expectRefused(directory, segmentPath(directory), 0)
  }
})

test("a cleanly stopped log tells damage to its last record from an interrupted write", async () => {
  const directory = newDirectory()
  const storage = await start(directory)
  await storage.persist(append(noOp(1, 1)))
  await storage.close()
  const [last] = recordsOf(segmentPath(directory))
  flip(segmentPath(directory), last!.end * 8 - 1)
  await expectRefused(directory, segmentPath(directory), last!.start)
})

test("the last record of a segment that is not the last one", async () => {
  const whole = await manySegments(5)
  const last = recordsOf(segmentPath(whole, 1)).at(-1)!
  for (const bend of [(file: string) => flip(file, last.start * 8), (file: string) => flip(file, last.end * 8 - 1)]) {
    const directory = image(whole)
    bend(segmentPath(directory, 1))
    await expectRefused(directory, segmentPath(directory, 1), last.start)
  }
})

test("a file that is shorter than it was made: whole records may be missing at its end", async () => {
  const whole = await manySegments(5)
  for (const number of [1, 2]) {
    const [first, ...rest] = recordsOf(segmentPath(whole, number))
    for (const length of [4095, rest.at(-1)!.end, first!.end, first!.start]) {
      const directory = image(whole)
      fs.truncateSync(segmentPath(directory, number), length)
      await expectRefused(directory, segmentPath(directory, number), length)
    }
  }
})

test("a segment that is missing, in the middle or at the front or altogether", async () => {
  const whole = await manySegments(9)
  for (const number of [1, 2]) {
    const directory = image(whole)
    fs.rmSync(segmentPath(directory, number))
    const error = await startFailing(directory)
    expect([error.reason, error.message]).toEqual([
      "Corrupt",
      expect.stringContaining(`${segmentPath(directory, number)} is damaged at offset 0: this segment is missing`)
    ])
  }
  const directory = image(whole)
  for (const number of [1, 2, 3]) fs.rmSync(segmentPath(directory, number))
  expect((await startFailing(directory)).message).toContain("the whole log is missing")
})

test("segments that changed places", async () => {
  const directory = await manySegments(9)
  fs.renameSync(segmentPath(directory, 2), `${directory}/aside`)
  fs.renameSync(segmentPath(directory, 3), segmentPath(directory, 2))
  fs.renameSync(`${directory}/aside`, segmentPath(directory, 3))
  await expectRefused(directory, segmentPath(directory, 2), 0)
})

test("a segment of another replica", async () => {
  const [directory, other] = [await killed(), newDirectory()]
  const storage = await start(other, { replica: ReplicaId("B") })
  await storage.persist(vote(9, "B"))
  fs.copyFileSync(segmentPath(other), segmentPath(directory))
  await expectRefused(directory, segmentPath(directory), 0)
})

test("a record that is there twice, or that another one was moved over", async () => {
  const whole = await killed()
  const [first, second, third] = recordsOf(segmentPath(whole))
  const twice = image(whole)
  bend(segmentPath(twice), (bytes) => {
    bytes.copy(bytes, third!.end, third!.start, third!.end)
    return bytes
  })
  await expectRefused(twice, segmentPath(twice), third!.end)
  const moved = image(whole)
  bend(segmentPath(moved), (bytes) => {
    bytes.copy(bytes, first!.start, second!.start, second!.end)
    return bytes
  })
  await expectRefused(moved, segmentPath(moved), first!.start)
})

test("a length that the file does not have allocates nothing and is refused", async () => {
  const whole = await killed()
  const [, second] = recordsOf(segmentPath(whole))
  for (const length of [0xffff_ffff, 0x7fff_ffff, 4096, 0]) {
    const directory = image(whole)
    bend(segmentPath(directory), (bytes) => {
      bytes.writeUInt32LE(length, second!.start + 8)
      return bytes
    })
    await expectRefused(directory, segmentPath(directory), second!.start)
  }
})

test("a value that looks like a record does not make a torn one into damage", async () => {
  const directory = newDirectory()
  const storage = await start(directory)
  await storage.persist(append(noOp(1, 1)))
  const other = await killed()
  const records = recordsOf(segmentPath(other))
  const lookalike = fs.readFileSync(segmentPath(other)).subarray(records[0]!.start, records.at(-1)!.end)
  await storage.persist(append(command(2, 1, lookalike)))
  const crashed = image(directory)
  flip(segmentPath(crashed), recordsOf(segmentPath(crashed)).at(-1)!.start * 8)
  expect((await found(crashed)).entries).toEqual([noOp(1, 1)])
})

test("a segment that a newer version wrote", async () => {
  const directory = await killed()
  bend(segmentPath(directory), (bytes) => {
    const header = { number: 1, firstSequence: 1, mark: 1, owner: 1, beginning: undefined }
    Segment.encodeHeader(header, 0, 7).copy(bytes)
    return bytes
  })
  const error = await startFailing(directory)
  expect(error.reason).toBe("UnknownFormat")
  expect(error.message).toContain(`${segmentPath(directory)} has format 7`)
})
