/** Frames of HTTP/2 (RFC 9113) and the headers of a gRPC call (RFC 7541), as far as GrpcDialect needs them. */
export const Type = {
  Data: 0,
  Headers: 1,
  ResetStream: 3,
  Settings: 4,
  Ping: 6,
  GoAway: 7,
  WindowUpdate: 8
} as const

export const Flag = { EndStream: 1, Ack: 1, EndHeaders: 4 } as const

export interface Frame {
  readonly type: number
  readonly flags: number
  readonly stream: number
  readonly payload: Buffer
}

const headBytes = 9
/** The most that a receiver takes unless it says otherwise. */
const maxPayloadBytes = 16_384

export const frame = (type: number, flags: number, stream: number, payload: Buffer = Buffer.alloc(0)): Buffer => {
  const bytes = Buffer.allocUnsafe(headBytes + payload.length)
  bytes.writeUIntBE(payload.length, 0, 3)
  bytes[3] = type
  bytes[4] = flags
  bytes.writeUInt32BE(stream, 5)
  payload.copy(bytes, headBytes)
  return bytes
}

/** The body of a request, as the frames it takes, the last of which ends it. */
export const data = (stream: number, body: Buffer): ReadonlyArray<Buffer> => {
  const frames: Array<Buffer> = []
  for (let at = 0; at < body.length; at += maxPayloadBytes) {
    const isLast = at + maxPayloadBytes >= body.length
    frames.push(frame(Type.Data, isLast ? Flag.EndStream : 0, stream, body.subarray(at, at + maxPayloadBytes)))
  }
  return frames
}

/** Those that are there as a whole, and what is left. */
export const framesIn = (received: Buffer): { readonly frames: ReadonlyArray<Frame>; readonly rest: Buffer } => {
  const frames: Array<Frame> = []
  let at = 0
  while (received.length - at >= headBytes) {
    const end = at + headBytes + received.readUIntBE(at, 3)
    if (end > received.length) break
    frames.push({
      type: received[at + 3]!,
      flags: received[at + 4]!,
      stream: received.readUInt32BE(at + 5) & 0x7fffffff,
      payload: received.subarray(at + headBytes, end)
    })
    at = end
  }
  return { frames, rest: received.subarray(at) }
}

/** Texts of fewer than 127 bytes, not compressed. */
const text = (value: string): Buffer => Buffer.concat([Buffer.of(value.length), Buffer.from(value)])

/** `:method: POST` and `:scheme: http` are in the static table; `:path` is number 4 there, and goes as it is. */
const beginning = {
  Put: Buffer.concat([Buffer.of(0x83, 0x86, 0x04), text("/etcdserverpb.KV/Put")]),
  Range: Buffer.concat([Buffer.of(0x83, 0x86, 0x04), text("/etcdserverpb.KV/Range")])
}
/** Number 62 is what was added last. */
const added = Buffer.of(0xc0, 0xbf, 0xbe)

/** The first call on a connection adds what is the same for all to the receiver's table; the others point there. */
export const callHeaders = (stream: number, method: "Put" | "Range", isFirst: boolean, port: number): Buffer => {
  const rest = isFirst
    ? Buffer.concat([
        Buffer.of(0x41),
        text(`127.0.0.1:${port}`),
        Buffer.of(0x5f),
        text("application/grpc"),
        Buffer.of(0x40),
        text("te"),
        text("trailers")
      ])
    : added
  return frame(Type.Headers, Flag.EndHeaders, stream, Buffer.concat([beginning[method], rest]))
}

/** Of a protobuf message. */
export const bytesField = (field: number, bytes: Buffer): Buffer =>
  Buffer.concat([Buffer.of((field << 3) | 2), lengthOf(bytes.length), bytes])

const lengthOf = (value: number): Buffer => {
  const bytes: Array<number> = []
  for (let rest = value; ; rest >>>= 7) {
    bytes.push(rest > 0x7f ? (rest & 0x7f) | 0x80 : rest)
    if (rest <= 0x7f) return Buffer.from(bytes)
  }
}
