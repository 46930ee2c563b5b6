/** What arrives is believed only after it was looked at. */
import { describe, expect, test } from "vitest"
import * as Wire from "../../src/course/Wire.ts"

const parse = (text: string): Wire.Arrived => Wire.parse(Buffer.from(text))
const put = { src: "0010", dst: "0000", leader: "FFFF", type: "put", MID: "m", key: "k", value: "v" }

describe("what is understood", () => {
  test("a put and a get", () => {
    expect(Wire.read(put)).toEqual({
      _tag: "Request",
      request: { _tag: "Put", client: "0010", mid: "m", key: "k", value: "v" }
    })
    const { value: _, ...get } = { ...put, type: "get" }
    expect(parse(JSON.stringify(get))).toEqual({
      _tag: "Request",
      request: { _tag: "Get", client: "0010", mid: "m", key: "k" }
    })
  })

  test("what peers say comes back as it was sent", () => {
    const message = Wire.peer({ id: "0001", leader: "0002" }, "0000", "AAAA", 7)
    expect(message).toMatchObject({ src: "0001", dst: "0000", leader: "0002" })
    expect(Wire.read(message)).toEqual({ _tag: "Peer", from: "0001", payload: "AAAA", commitIndex: 7 })
    const notice = Wire.peer({ id: "0001", leader: undefined }, "0000", undefined, 7)
    expect(notice.leader).toBe("FFFF")
    expect(Wire.read(notice)).toEqual({ _tag: "Peer", from: "0001", payload: undefined, commitIndex: 7 })
  })
})

describe("what is not", () => {
  test.each([
    "",
    "{",
    "[]",
    "null",
    "7",
    `{"type":"get","MID":"m","key":"k"}`,
    `{"src":"nobody","type":"get","MID":"m","key":"k"}`,
    `{"src":"0010","type":"sing","MID":"m"}`,
    `{"src":"0010","type":"get","key":"k"}`,
    `{"src":"0001","type":"raft"}`,
    `{"src":"0001","type":"raft","commit":1,"raft":7}`,
    `{"src":"0001","type":"raft","commit":0.5}`
  ])("%s is unknown, with a reason", (text) => {
    expect(parse(text)).toEqual({ _tag: "Unknown", why: expect.stringMatching(/./) })
  })

  test("bytes that are no text", () => {
    expect(Wire.parse(Uint8Array.of(0x22, 0xff, 0x22))._tag).toBe("Unknown")
  })

  test("whoever waits for an answer to what cannot be understood is to get one", () => {
    expect(Wire.read({ ...put, key: 7 })).toMatchObject({ _tag: "Unusable", client: "0010", mid: "m" })
    expect(Wire.read({ ...put, value: undefined })).toMatchObject({ _tag: "Unusable" })
    expect(Wire.read({ ...put, value: "v".repeat(Wire.maxPutLength) })).toMatchObject({ _tag: "Unusable" })
    expect(Wire.read({ ...put, value: "v".repeat(Wire.maxPutLength - 1) })).toMatchObject({ _tag: "Request" })
  })
})
