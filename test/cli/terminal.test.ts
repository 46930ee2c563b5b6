/** `balsa shell` at a terminal, which script(1) lends: keys are pressed, and what is on the screen is looked at. */
import { spawn } from "node:child_process"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { afterAll, afterEach, assert, beforeAll } from "vitest"
import { command } from "../faults/Command.ts"
import { itNeeds, type Probe } from "../faults/Probe.ts"
import { Conversation } from "./Conversation.ts"
import { type Asked, base64, FakeGateway, ok, type Reply } from "./FakeGateway.ts"
import { Program } from "./Program.ts"

const script: Probe = {
  what: "script",
  advice: "install it (apt-get install bsdutils)",
  attempt: async () => void (await command("script", "--version"))
}

let program: Program
const state = fs.mkdtempSync(path.join(os.tmpdir(), "balsa-state-"))
beforeAll(async () => {
  program = await Program.build()
})
afterAll(() => {
  fs.rmSync(state, { recursive: true })
})

const gateways: Array<FakeGateway> = []
const running: Array<Conversation> = []
afterEach(async () => {
  for (const conversation of running.splice(0)) await conversation.end("SIGKILL")
  for (const gateway of gateways.splice(0)) await gateway.close()
})

const open = async (
  reply: (asked: Asked) => Reply
): Promise<Conversation & { readonly asked: ReadonlyArray<Asked> }> => {
  const fake = new FakeGateway(reply)
  gateways.push(fake)
  const line = `${process.execPath} ${program.path} shell -e ${await fake.listen()}`
  const child = spawn("script", ["--quiet", "--return", "--command", line, "/dev/null"], {
    env: { ...process.env, XDG_STATE_HOME: state, TERM: "xterm", NO_COLOR: "1" }
  })
  const conversation = Object.assign(new Conversation(child), { asked: fake.asked })
  running.push(conversation)
  await conversation.said(/balsa> /)
  return conversation
}

/** How often the shell has asked for a line. */
const prompts = (count: number) => (text: string) => text.split("balsa> ").length > count

const ctrlC = "\u0003"
const ctrlD = "\u0004"
const up = "\u001b[A"

itNeeds([script], "Tab completes commands and keys, and the history is kept for the next time", async () => {
  const reply = () => ok({ kvs: [{ key: base64("pt/alpha"), value: base64("one") }], count: "1" })
  const first = await open(reply)
  first.say("ge\t")
  await first.said(/get $/)
  first.say("pt\t")
  await first.said(/pt\/alpha $/)
  first.say("\r")
  await first.said(/one\r\n/)
  first.say(ctrlD)
  assert.strictEqual(await first.ended, 0)
  const second = await open(reply)
  second.say(up)
  await second.said(/get pt\/alpha/)
  second.say("\r")
  await second.said(/one\r\n/)
  second.say("exit\r")
  assert.strictEqual(await second.ended, 0)
  assert.strictEqual(fs.readFileSync(path.join(state, "balsa", "history"), "utf8"), "get pt/alpha \nexit\n")
})

itNeeds([script], "Ctrl-C ends what runs and what is typed, and not the shell", async () => {
  const asked = Promise.withResolvers<void>()
  const shell = await open(({ path }) => {
    asked.resolve()
    return path.endsWith("put") ? ok({}) : "hang"
  })
  shell.say("get hangs --timeout 1m\r")
  await asked.promise
  shell.say(ctrlC)
  await shell.said(prompts(2))
  shell.say("put half a li")
  await shell.said(/half a li$/)
  shell.say(ctrlC)
  await shell.said(prompts(3))
  shell.say("put k v\r")
  await shell.said(/OK\r\n/)
  shell.say(ctrlD)
  assert.strictEqual(await shell.ended, 0)
  assert.deepEqual(
    shell.asked.map(({ path, body }) => [path, body["key"]]),
    [
      ["/v3/kv/range", base64("hangs")],
      ["/v3/kv/put", base64("k")]
    ]
  )
})

itNeeds([script], "a transaction asks for its parts, and a mistake can be written once more", async () => {
  const shell = await open(() => ok({ succeeded: true, responses: [{ response_put: {} }] }))
  shell.say("txn\r")
  await shell.said(/compares, then a blank line:/)
  shell.say("mod(k > 0\r")
  await shell.said(/column 7: "\)" is missing behind the key/)
  shell.say("mod(k) > 0\r\r")
  await shell.said(/if all hold/)
  shell.say("put k v\r\r")
  await shell.said(/otherwise/)
  shell.say("\r")
  await shell.said(/SUCCESS\r\nOK\r\n/)
  assert.lengthOf(shell.asked, 1)
  shell.say(ctrlD)
  assert.strictEqual(await shell.ended, 0)
})
