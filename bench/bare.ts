/**
 * The ceiling of this machine: replication and nothing else. Three processes; the leader sends what
 * waits to both followers as one batch, writes it with one write and one fdatasync as they do, and
 * answers when two of the three have it. Redis' protocol outside, SET and GET only.
 *
 * No terms, no elections, no checks, no recovery, nothing read back from disk: it must not be used.
 * What a consensus store does beyond it is the price of being safe.
 *
 *     node bench/bare.ts leader CLIENT-PORT PEER-PORT FILE
 *     node bench/bare.ts follower PEER-PORT FILE
 */
import { closeSync, fdatasync, fsyncSync, openSync, write, writeSync } from "node:fs"
import { connect, createServer, type Socket } from "node:net"

/** Written over and over, so that it never grows: a sync of a file that grows takes longer. */
const fileBytes = 64 * 1024 * 1024

type Append = (bytes: Buffer, done: () => void) => void

const openLog = (file: string): Append => {
  const log = openSync(file, "w")
  const zeros = Buffer.alloc(1024 * 1024)
  for (let at = 0; at < fileBytes; at += zeros.length) writeSync(log, zeros, 0, zeros.length, at)
  fsyncSync(log)
  process.once("exit", () => closeSync(log))
  let position = 0
  return (bytes, done) => {
    if (position + bytes.length > fileBytes) position = 0
    write(log, bytes, 0, bytes.length, position, (failed, written) => {
      if (failed !== null || written !== bytes.length) throw failed ?? new Error(`only ${written} bytes written`)
      fdatasync(log, (error) => {
        if (error !== null) throw error
        done()
      })
    })
    position += bytes.length
  }
}

const headBytes = 8

/** Batches as "bytes, number, that many bytes"; several that came together become durable together. */
const follower = (peerPort: number, append: Append): void => {
  const socket = connect({ host: "127.0.0.1", port: peerPort, noDelay: true })
  let received: Buffer = Buffer.alloc(0)
  let isWriting = false
  const pump = (): void => {
    if (isWriting) return
    let at = 0
    let last = 0
    while (received.length - at >= headBytes) {
      const end = at + headBytes + received.readUInt32BE(at)
      if (end > received.length) break
      last = received.readUInt32BE(at + 4)
      at = end
    }
    if (at === 0) return
    const whole = received.subarray(0, at)
    received = received.subarray(at)
    isWriting = true
    append(whole, () => {
      isWriting = false
      const acknowledgement = Buffer.alloc(4)
      acknowledgement.writeUInt32BE(last)
      socket.write(acknowledgement)
      pump()
    })
  }
  socket.on("data", (piece) => {
    received = received.length === 0 ? piece : Buffer.concat([received, piece])
    pump()
  })
  // The leader comes up at the same time.
  socket.on("error", () => setTimeout(() => follower(peerPort, append), 50))
  socket.on("close", (hadError) => {
    if (!hadError) process.exit(0)
  })
}

interface Asked {
  readonly client: Client
  readonly key: string
  /** None: a GET. */
  readonly value: Buffer | undefined
}

interface Client {
  readonly socket: Socket
  waiting: number
  answers: Array<Buffer>
}

const ok = Buffer.from("+OK\r\n")
const none = Buffer.from("$-1\r\n")

const leader = (clientPort: number, peerPort: number, append: Append): void => {
  const data = new Map<string, Buffer>()
  const followers: Array<Socket> = []
  /** The last batch that each of the three has; the first is this process. */
  const durable = [0, 0, 0]
  const batches: Array<{ readonly number: number; readonly asked: ReadonlyArray<Asked> }> = []
  let waiting: Array<Asked> = []
  let bytes: Array<Buffer> = []
  let batch = 0
  let isWriting = false

  const answer = ({ client, key, value }: Asked): void => {
    client.waiting--
    if (value !== undefined) data.set(key, value)
    const found = value === undefined ? data.get(key) : undefined
    if (value !== undefined) client.answers.push(ok)
    else if (found === undefined) client.answers.push(none)
    else client.answers.push(Buffer.from(`$${found.length}\r\n`), found, ok.subarray(3))
  }
  const flush = (client: Client): void => {
    const { answers } = client
    client.answers = []
    if (answers.length > 0) client.socket.write(answers.length === 1 ? answers[0]! : Buffer.concat(answers))
  }
  const commit = (): void => {
    const committed = durable.toSorted((a, b) => a - b)[1]!
    const clients = new Set<Client>()
    while (batches.length > 0 && batches[0]!.number <= committed) {
      for (const one of batches.shift()!.asked) {
        answer(one)
        clients.add(one.client)
      }
    }
    for (const client of clients) flush(client)
  }
  const pump = (): void => {
    if (isWriting || waiting.length === 0) return
    isWriting = true
    const number = ++batch
    batches.push({ number, asked: waiting })
    const body = Buffer.concat(bytes)
    waiting = []
    bytes = []
    const head = Buffer.alloc(headBytes)
    head.writeUInt32BE(body.length)
    head.writeUInt32BE(number, 4)
    const whole = Buffer.concat([head, body])
    for (const socket of followers) socket.write(whole)
    append(whole, () => {
      isWriting = false
      durable[0] = number
      commit()
      pump()
    })
  }

  const serve = (socket: Socket): void => {
    const client: Client = { socket, waiting: 0, answers: [] }
    let received: Buffer = Buffer.alloc(0)
    socket.setNoDelay(true)
    socket.on("error", () => socket.destroy())
    socket.on("data", (piece) => {
      received = received.length === 0 ? piece : Buffer.concat([received, piece])
      let at = 0
      for (;;) {
        const found = wordsAt(received, at)
        if (found === undefined) break
        const { words, end } = found
        const value = words.length === 3 ? Buffer.from(words[2]!) : undefined
        const asked: Asked = { client, key: words[1]!.toString("latin1"), value }
        const isLocal = value === undefined && client.waiting === 0
        client.waiting++
        if (isLocal) answer(asked)
        else {
          waiting.push(asked)
          if (value !== undefined) bytes.push(Buffer.from(received.subarray(at, end)))
        }
        at = end
      }
      received = received.subarray(at)
      flush(client)
      // What other clients sent meanwhile is read before the batch is closed.
      setImmediate(pump)
    })
  }

  createServer((socket) => {
    const number = followers.push(socket)
    let received: Buffer = Buffer.alloc(0)
    socket.setNoDelay(true)
    socket.on("data", (piece) => {
      received = Buffer.concat([received, piece])
      const whole = received.length - (received.length % 4)
      if (whole === 0) return
      durable[number] = received.readUInt32BE(whole - 4)
      received = received.subarray(whole)
      commit()
    })
    socket.on("close", () => process.exit(1))
    if (number === 2) createServer(serve).listen(clientPort, "127.0.0.1")
  }).listen(peerPort, "127.0.0.1")
}

/** An array of bulk strings; undefined if not all of it is there. */
const wordsAt = (received: Buffer, start: number) => {
  let at = start
  const line = (): number | undefined => {
    const end = received.indexOf(13, at)
    if (end < 0 || end + 2 > received.length) return undefined
    let value = 0
    for (let digit = at + 1; digit < end; digit++) value = value * 10 + received[digit]! - 48
    at = end + 2
    return value
  }
  const count = line()
  if (count === undefined) return undefined
  const words: Array<Buffer> = []
  while (words.length < count) {
    const length = line()
    if (length === undefined || at + length + 2 > received.length) return undefined
    words.push(received.subarray(at, at + length))
    at += length + 2
  }
  return { words, end: at }
}

const [role, ...rest] = process.argv.slice(2)
if (role === "leader") leader(Number(rest[0]), Number(rest[1]), openLog(rest[2]!))
else follower(Number(rest[0]), openLog(rest[1]!))
