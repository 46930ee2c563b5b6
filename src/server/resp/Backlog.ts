/** What of a connection waits for its turn, the oldest first, and how many bytes it was asked with. */
import type { Item } from "./Item.ts"

/** Beyond so many places, they are given back. */
const keptPlaces = 1024

export class Backlog {
  private items: Array<Item | undefined> = []
  private weights: Array<number> = []
  private head = 0
  private tail = 0

  get length(): number {
    return this.tail - this.head
  }

  push(item: Item, bytes: number): void {
    this.items[this.tail] = item
    this.weights[this.tail++] = bytes
  }

  get first(): Item | undefined {
    return this.items[this.head]
  }

  /** Of the first. */
  get bytes(): number {
    return this.weights[this.head] ?? 0
  }

  shift(): void {
    this.items[this.head++] = undefined
    const isEmpty = this.head === this.tail
    if (this.head > keptPlaces && 2 * this.head > this.tail) this.giveBack()
    else if (isEmpty) this.head = this.tail = 0
  }

  private giveBack(): void {
    this.items = this.items.slice(this.head, this.tail)
    this.weights = this.weights.slice(this.head, this.tail)
    this.tail -= this.head
    this.head = 0
  }
}
