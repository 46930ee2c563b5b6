/** Several JSON objects in one body, one after the other, as etcd's gateway reads a stream of requests. */
import { type GatewayError, isGatewayError } from "./GatewayError.ts"
import * as JsonBody from "./JsonBody.ts"
import * as JsonText from "./JsonText.ts"
import type { JsonObject } from "./RequestFields.ts"

/** The objects up to the first one that is none; what stands there then is the last item. */
export function* objectsIn(text: string): Generator<JsonObject | GatewayError> {
  for (const one of cut(text)) {
    const json = JsonBody.parse(one)
    if (isGatewayError(json)) {
      yield json
      return
    }
    yield json.object
  }
}

/** Cuts behind each brace that closes the outermost one. What is no JSON is told by whoever parses the pieces. */
function* cut(text: string): Generator<string> {
  let start = 0
  let depth = 0
  for (const { token, index } of JsonText.tokensIn(text, "[{}]")) {
    if (token === "{") depth++
    else if (token === "}") depth--
    if (token !== "}" || depth > 0) continue
    yield text.slice(start, index + 1)
    start = index + 1
    depth = 0
  }
  const rest = text.slice(start)
  if (rest.trim() !== "") yield rest
}
