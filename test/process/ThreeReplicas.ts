/** Three real replicas that have a leader, for as long as one test lasts. */
import { onTestFinished } from "vitest"
import { RealCluster } from "./RealCluster.ts"

export const startThree = async (): Promise<RealCluster> => {
  const cluster = await RealCluster.make(["A", "B", "C"])
  onTestFinished(() => cluster.stopAll())
  for (const id of cluster.ids) cluster.start(id)
  await cluster.leader()
  return cluster
}
