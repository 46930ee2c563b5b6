/**
 * File systems of a replica's own, to be cut from their power or filled up: ext4 in an image file
 * on a loop device, and tmpfs. They stand in a temporary folder that names this process, so that what
 * an earlier one left behind when it was killed is known, and unmounted, by the next.
 *
 * A power cut is the shutdown ioctl of ext4: from then on nothing reaches the image, neither data nor
 * journal; only what was synced before is sure to be there. What ext4 had handed down without a
 * flush survives here, and would not in a disk that has a volatile cache and lost its power.
 */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statfsSync,
  writeFileSync
} from "node:fs"
import { appendFile, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import * as path from "node:path"
import { eventually } from "../process/RealCluster.ts"
import { command, lastCommand } from "./Command.ts"

const prefix = "balsa-drives-"
const megabyte = 1024 * 1024

export interface Drive {
  /** Where it is mounted. */
  readonly mount: string
}

const mounts = (): ReadonlyArray<{ readonly device: string; readonly mount: string }> =>
  readFileSync("/proc/self/mounts", "utf8")
    .split("\n")
    .map((line) => line.split(" "))
    .map(([device = "", mount = ""]) => ({ device, mount }))

const mountedBelow = (folder: string): ReadonlyArray<string> =>
  mounts()
    .map(({ mount }) => mount)
    .filter((mount) => mount.startsWith(`${folder}${path.sep}`))

export class Drives {
  private readonly folder: string
  private readonly atExit = (): void => discard(this.folder)

  constructor() {
    clearStale()
    // The kernel names what is mounted by its real path.
    this.folder = realpathSync(mkdtempSync(path.join(tmpdir(), `${prefix}${process.pid}-`)))
    process.once("exit", this.atExit)
  }

  async ext4(name: string, megabytes: number): Promise<Ext4> {
    const image = path.join(this.folder, `${name}.ext4`)
    writeFileSync(image, "")
    // A hole, until something is written: it takes no more space than what is in it.
    await command("truncate", "--size", `${megabytes}M`, image)
    await command("mkfs.ext4", "-q", "-F", image)
    const drive = new Ext4(image, this.place(name))
    await drive.attach()
    return drive
  }

  async tmpfs(name: string, megabytes: number): Promise<Tmpfs> {
    const mount = this.place(name)
    await command("mount", "-t", "tmpfs", "-o", `size=${megabytes}m,mode=700`, `balsa-${name}`, mount)
    return new Tmpfs(mount)
  }

  /** When no process uses them any more. */
  async close(): Promise<void> {
    for (const mount of mountedBelow(this.folder)) await command("umount", mount)
    process.off("exit", this.atExit)
    rmSync(this.folder, { recursive: true, force: true })
  }

  private place(name: string): string {
    const mount = path.join(this.folder, name)
    mkdirSync(mount)
    return mount
  }
}

/** EXT4_IOC_SHUTDOWN, which is _IOR('X', 125, __u32), with EXT4_GOING_FLAGS_NOLOGFLUSH: the journal is not flushed first. */
const cutPower = `
  open(my $mount, "<", $ARGV[0]) or die "cannot open $ARGV[0]: $!\\n";
  my $flags = pack("L", 2);
  defined(ioctl($mount, 0x8004587D, $flags)) or die "EXT4_IOC_SHUTDOWN on $ARGV[0]: $!\\n";
`

export class Ext4 implements Drive {
  readonly mount: string
  private readonly image: string

  constructor(image: string, mount: string) {
    this.image = image
    this.mount = mount
  }

  /** Mounts it; what the journal holds is replayed. */
  async attach(): Promise<void> {
    await command("mount", "-t", "ext4", "-o", "loop", this.image, this.mount)
  }

  /** Takes its power away, under whoever uses it. */
  async cut(): Promise<void> {
    await command("perl", "-e", cutPower, this.mount)
  }

  /** Gives it its power back. Whoever used it must have ended. */
  async restore(): Promise<void> {
    const device = path.basename(mounts().find(({ mount }) => mount === this.mount)?.device ?? "")
    await command("umount", this.mount)
    // A process with a mount namespace of its own may have a copy of this mount until it ends. Mounted again
    // before that, it would be the same file system still, and without power.
    await eventually(`${this.image} is let go by every mount namespace`, async () =>
      existsSync(`/sys/fs/ext4/${device}`) && fileBehind(device) === this.image ? undefined : true
    )
    await this.attach()
  }
}

/** Of a loop device, which may be another's by now; `undefined` if it has none. */
const fileBehind = (device: string): string | undefined => {
  try {
    return readFileSync(`/sys/block/${device}/loop/backing_file`, "utf8").trimEnd()
  } catch {
    return undefined
  }
}

export class Tmpfs implements Drive {
  readonly mount: string

  constructor(mount: string) {
    this.mount = mount
  }

  get freeBytes(): number {
    const { bavail, bsize } = statfsSync(this.mount)
    return bavail * bsize
  }

  /** Fills it up until so many bytes are left; with none of them, to the last byte that can be had. */
  async fill(leaveBytes = 0): Promise<void> {
    const piece = Buffer.alloc(megabyte, 1)
    for (let bytes = megabyte; bytes >= 1; ) {
      if (leaveBytes > 0 && this.freeBytes <= leaveBytes) return
      try {
        await appendFile(this.ballast, piece.subarray(0, bytes))
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error
        bytes = Math.floor(bytes / 2)
      }
    }
  }

  async empty(): Promise<void> {
    await rm(this.ballast)
  }

  private get ballast(): string {
    return path.join(this.mount, "ballast")
  }
}

/** What processes have left that are no more. */
const clearStale = (): void => {
  for (const name of readdirSync(tmpdir())) {
    const owner = name.startsWith(prefix) ? Number.parseInt(name.slice(prefix.length), 10) : Number.NaN
    if (Number.isInteger(owner) && !existsSync(`/proc/${owner}`)) discard(realpathSync(path.join(tmpdir(), name)))
  }
}

/** Replicas may still be ending: a lazy unmount is complete when they are. */
const discard = (folder: string): void => {
  const left = mountedBelow(folder).filter((mount) => !lastCommand("umount", "--lazy", mount))
  if (left.length === 0) rmSync(folder, { recursive: true, force: true })
}
