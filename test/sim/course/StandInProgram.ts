/**
 * A stand-in as a process that speaks UDP: `node StandInProgram.ts FLAW PORT ID PEER...`. Two flaws more than in virtual
 * time: "stubborn" ignores SIGTERM, and "no JSON" sends what is none.
 */
import { createSocket } from "node:dgram"
import type { CourseMessage } from "../../../src/course/CourseMessage.ts"
import type { Step } from "../../../src/course/Replica.ts"
import { type Flaw, withFlaw } from "./StandIns.ts"

const [flaw, port, id, ...peers] = process.argv.slice(2) as [string, string, string, ...Array<string>]
if (flaw === "stubborn") process.on("SIGTERM", () => undefined)

const socket = createSocket("udp4")
const known: Flaw = flaw === "stubborn" || flaw === "no JSON" ? "none" : (flaw as Flaw)
const { replica, step } = withFlaw(known)({ id, peers, seed: 1, now: 0 })
const obey = ({ send }: Step): void => {
  for (const message of send) socket.send(JSON.stringify(message), Number(port), "127.0.0.1")
}
socket.on("message", (bytes) => {
  obey(replica.receive(performance.now(), JSON.parse(bytes.toString("utf8")) as CourseMessage))
  if (flaw === "no JSON") socket.send("{", Number(port), "127.0.0.1")
})
socket.bind(0, "127.0.0.1", () => obey(step))
