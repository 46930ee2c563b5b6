/** The snapshots of a replica, as its log tells of them. */

export interface Taken {
  readonly bytes: number
  readonly millis: number
}

export interface SnapshotLog {
  readonly begun: number
  readonly failed: number
  readonly taken: ReadonlyArray<Taken>
}

export const read = (log: string): SnapshotLog => ({
  begun: log.match(/taking a snapshot at index /g)?.length ?? 0,
  failed: log.match(/no snapshot at index /g)?.length ?? 0,
  taken: [...log.matchAll(/took snapshot at index \d+ of term \d+ \((\d+) bytes\) in (\d+) ms/g)].map(
    ([, bytes, millis]) => ({ bytes: Number(bytes), millis: Number(millis) })
  )
})

export const isTaking = ({ begun, failed, taken }: SnapshotLog): boolean => begun > failed + taken.length
