/**
 * Patroni's configuration for one database node, as its file has it (JSON is YAML). What is particular to
 * Balsa is the `etcd3` section, and there is nothing else in it than for etcd.
 */
import * as path from "node:path"

export interface Times {
  /** How long the leader's key lives without being renewed: so long a dead primary is waited for. */
  readonly ttl: number
  /** Patroni asks that ttl be at least loop_wait + 2 * retry_timeout. */
  readonly loopWait: number
  readonly retryTimeout: number
}

export interface NodeFacts {
  readonly name: string
  readonly directory: string
  readonly postgresPort: number
  readonly restPort: number
  readonly postgresBin: string
  readonly stores: ReadonlyArray<string>
  readonly password: string
  readonly times: Times
}

export const scope = "shop"

export const of = ({ name, directory, postgresPort, restPort, stores, password, times, postgresBin }: NodeFacts) => ({
  scope,
  name,
  restapi: { listen: `127.0.0.1:${restPort}`, connect_address: `127.0.0.1:${restPort}` },
  etcd3: { hosts: stores, protocol: "http" },
  bootstrap: {
    dcs: {
      ttl: times.ttl,
      loop_wait: times.loopWait,
      retry_timeout: times.retryTimeout,
      // A row that was acknowledged is on the standby too, so no failover may lose one.
      synchronous_mode: true,
      // A PostgreSQL that dies is not started again where it was: the standby takes over.
      primary_start_timeout: 0,
      postgresql: { use_pg_rewind: true, parameters: { max_connections: 30, shared_buffers: "16MB" } }
    },
    initdb: [{ encoding: "UTF8" }, { locale: "C" }, "data-checksums"]
  },
  postgresql: {
    listen: `127.0.0.1:${postgresPort}`,
    connect_address: `127.0.0.1:${postgresPort}`,
    data_dir: path.join(directory, "data"),
    bin_dir: postgresBin,
    pgpass: path.join(directory, "pgpass"),
    authentication: {
      superuser: { username: "postgres", password },
      replication: { username: "replicator", password },
      rewind: { username: "rewinder", password }
    },
    pg_hba: ["host replication replicator 127.0.0.1/32 scram-sha-256", "host all all 127.0.0.1/32 scram-sha-256"],
    parameters: { unix_socket_directories: directory }
  },
  watchdog: { mode: "off" }
})
