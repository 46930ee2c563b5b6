/**
 * Room for small pieces of bytes that stay for long: they share buffers, as one of its own costs more than a piece itself. A buffer is
 * let go of with the last piece in it. Nobody sees where a piece lies: this is nobody's state.
 */
export class SharedBuffer {
  /** In which the room lies that was given last. */
  buffer: ArrayBuffer
  private taken = 0

  /** Of so many bytes, the most that stays for one piece. */
  constructor(bytes: number) {
    this.buffer = new ArrayBuffer(bytes)
  }

  /** Where in `buffer` there is room for so many bytes, at most as many as it has; to be written once. */
  room(bytes: number): number {
    const { byteLength } = this.buffer
    if (this.taken + bytes > byteLength) {
      this.buffer = new ArrayBuffer(byteLength)
      this.taken = 0
    }
    const start = this.taken
    this.taken += bytes
    return start
  }
}
