/** How many connections are taken, and what is said about those that are not. */
import { EventEmitter } from "node:events"
import type { Socket } from "node:net"
import { describe, expect, test } from "vitest"
import * as Connections from "../../src/server/Connections.ts"

describe("so many are taken", () => {
  test.each([
    ["as are wanted, where nobody knows what is allowed", 10_240, undefined, 10_240],
    ["as are wanted, where there are files enough", 10_240, 20_000, 10_240],
    ["as leave what the replica needs for itself", 10_240, 1024, 832],
    ["as make it worth while", 10_240, 64, 8],
    ["as are wanted, however few", 1, 64, 1]
  ])("%s", (_, wanted, openFiles, most) => expect(Connections.most(wanted, openFiles)).toBe(most))
})

test("the limit is read as Linux writes it", () => {
  const limits = "Max core file size        0                    unlimited            bytes     \n"
  expect(
    Connections.limitIn(`${limits}Max open files            1024                 4096                 files     \n`)
  ).toBe(1024)
  expect(
    Connections.limitIn(`${limits}Max open files            unlimited            unlimited            files\n`)
  ).toBe(undefined)
})

test("it is told once that there are too many, and again when there was room meanwhile", () => {
  const told: Array<string> = []
  const connections = new Connections.Connections(10, {
    onFull: (most) => told.push(`full at ${most}`),
    onRoom: (turnedAway) => told.push(`room again after ${turnedAway}`)
  })
  const come = (): EventEmitter => {
    // As much of a socket as is asked for something here.
    const socket = Object.assign(new EventEmitter(), { setTimeout: () => undefined })
    connections.admit(socket as unknown as Socket)
    return socket
  }
  const sockets = Array.from({ length: 10 }, come)
  expect(told).toEqual([])
  come()
  come()
  expect(told).toEqual(["full at 10"])
  sockets[0]!.emit("close")
  expect(told).toEqual(["full at 10", "room again after 2"])
  come()
  come()
  expect(told).toEqual(["full at 10", "room again after 2", "full at 10"])
})
