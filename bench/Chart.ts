/**
 * The rates as bars, a group for each workload. Each group has a scale of its own, because a pipeline is
 * a hundred times as fast as one client; the numbers stand beside the bars.
 */
import type { SystemName } from "./Options.ts"
import { type Cell, count } from "./Report.ts"

const colours: { readonly [name in SystemName]: string } = {
  balsa: "#0b7a75",
  gateway: "#74b3ae",
  etcd: "#419eda",
  redis: "#c6302b",
  bare: "#9a9a9a"
}

const width = 880
const labelWidth = 190
const barWidth = 440
const barHeight = 16
const groupGap = 18
const headHeight = 64

export const svg = (cells: ReadonlyArray<Cell>, title: string, subtitle: string): string => {
  const groups = [...Map.groupBy(cells, ({ workload }) => workload)]
  let y = headHeight
  const drawn = groups.map(([workload, group]) => {
    const most = Math.max(...group.map(({ operationsPerSecond }) => operationsPerSecond), 1)
    const top = y
    y += group.length * barHeight + groupGap
    const bars = group.map((one, at) => bar(one, most, top + at * barHeight))
    return `<text x="16" y="${top + 12}" font-weight="bold">${escape(workload)}</text>${bars.join("")}`
  })
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${y}" width="${width}" height="${y}" font-family="system-ui, sans-serif" font-size="12" fill="#222">
<rect width="100%" height="100%" fill="#fff"/>
<text x="16" y="26" font-size="17" font-weight="bold">${escape(title)}</text>
<text x="16" y="46" fill="#666">${escape(subtitle)}</text>
${drawn.join("\n")}
</svg>
`
}

const bar = (one: Cell, most: number, y: number): string => {
  const length = Math.max(1, (one.operationsPerSecond / most) * barWidth)
  const words = `${count(one.operationsPerSecond)}/s${one.doubtful > 0 ? " (!)" : ""}, p99 ${one.p99.toFixed(2)} ms`
  return [
    `<text x="${labelWidth - 6}" y="${y + 12}" text-anchor="end" fill="#666">${one.system}</text>`,
    `<rect x="${labelWidth}" y="${y + 1}" width="${length.toFixed(1)}" height="${barHeight - 3}" fill="${colours[one.system]}"/>`,
    `<text x="${(labelWidth + length + 6).toFixed(1)}" y="${y + 12}">${words}</text>`
  ].join("")
}

export const escape = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;")
