/** A difference as somebody can look at it: what to send by hand, and what each of the two answered. */
import type { Difference, Exchange } from "./Run.ts"
import type { Answer, Request } from "./Side.ts"

const mostCharacters = 1000

export const report = (difference: Difference, seed: number): ReadonlyArray<string> => [
  `${difference.route} differs at ${difference.path}`,
  `  etcd:  ${shorten(JSON.stringify(difference.etcd) ?? "nothing")}`,
  `  Balsa: ${shorten(JSON.stringify(difference.balsa) ?? "nothing")}`,
  "after",
  ...difference.exchanges.flatMap((exchange, at) => lines(exchange, at === difference.exchanges.length - 1)),
  `again: npm run differential -- --sequences 1 --seed ${seed}`
]

const lines = (exchange: Exchange, isLast: boolean): ReadonlyArray<string> => {
  const { etcd, balsa } = exchange
  const same = etcd.request.body === balsa.request.body
  return [
    `  ${curl("$ETCD", etcd.request)}`,
    ...(same ? [] : [`  ${curl("$BALSA", balsa.request)}`]),
    ...(isLast ? [`    etcd:  ${said(etcd.answer)}`, `    Balsa: ${said(balsa.answer)}`] : [])
  ]
}

const said = (answer: Answer | undefined): string =>
  answer === undefined ? "a stream" : `${answer.status} ${shorten(answer.text.trimEnd())}`

export const curl = (base: string, { method = "POST", path, body = "" }: Request): string =>
  `curl -s ${method === "POST" ? "" : `-X ${method} `}${base}${path} -d '${shorten(body).replaceAll("'", String.raw`'\''`)}'`

export const shorten = (text: string): string =>
  text.length <= mostCharacters ? text : `${text.slice(0, mostCharacters)}... (${text.length} characters)`
