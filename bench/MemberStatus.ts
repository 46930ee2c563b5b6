/** What a member says of itself, Balsa or etcd. */

export interface MemberStatus {
  readonly port: number
  readonly leader: string
  readonly leads: boolean
  readonly term: string
  readonly commitIndex: number
  readonly appliedIndex: number
}

/** Undefined if it does not answer or knows no leader. */
export const at = async (port: number): Promise<MemberStatus | undefined> => {
  try {
    const response = await fetch(`http://127.0.0.1:${port}/v3/maintenance/status`, {
      method: "POST",
      body: "{}",
      signal: AbortSignal.timeout(2000)
    })
    const { header, leader, raftTerm, raftIndex, raftAppliedIndex } = (await response.json()) as {
      readonly header?: { readonly member_id?: string }
      readonly leader?: string
      readonly raftTerm?: string
      readonly raftIndex?: string
      readonly raftAppliedIndex?: string
    }
    if (leader === undefined || raftTerm === undefined) return undefined
    return {
      port,
      leader,
      leads: leader === header?.member_id,
      term: raftTerm,
      commitIndex: Number(raftIndex),
      appliedIndex: Number(raftAppliedIndex)
    }
  } catch {
    return undefined
  }
}
