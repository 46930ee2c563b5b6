/**
 * What is going to happen, in order of virtual time: a binary heap. Things that fall on the
 * same instant happen in the order in which they were planned, so a seed means one run.
 */
export interface Agenda<T> {
  readonly heap: Array<Item<T>>
  planned: number
}

interface Item<T> {
  readonly at: number
  readonly order: number
  readonly what: T
}

export const empty = <T>(): Agenda<T> => ({ heap: [], planned: 0 })

export const plan = <T>(agenda: Agenda<T>, at: number, what: T): void => {
  const { heap } = agenda
  const item: Item<T> = { at, order: agenda.planned++, what }
  let place = heap.length
  heap.push(item)
  while (place > 0) {
    const parent = (place - 1) >> 1
    if (!sooner(item, heap[parent]!)) break
    heap[place] = heap[parent]!
    place = parent
  }
  heap[place] = item
}

export const next = <T>(agenda: Agenda<T>): Item<T> | undefined => {
  const { heap } = agenda
  const first = heap[0]
  const moved = heap.pop()
  if (moved === undefined || first === moved) return first
  let place = 0
  for (;;) {
    let child = 2 * place + 1
    if (child >= heap.length) break
    if (child + 1 < heap.length && sooner(heap[child + 1]!, heap[child]!)) child++
    if (!sooner(heap[child]!, moved)) break
    heap[place] = heap[child]!
    place = child
  }
  heap[place] = moved
  return first
}

const sooner = <T>(one: Item<T>, other: Item<T>): boolean =>
  one.at !== other.at ? one.at < other.at : one.order < other.order
