/** The lines of a streamed answer, as etcd's gateway writes them. */
import { STATUS_CODES } from "node:http"
import type { GatewayError } from "./GatewayError.ts"

/** `json` is an object in one line. */
export const ofResult = (json: string): string => `{"result":${json}}\n`

/** The last line of a stream that fails when it has begun, and its status cannot be changed any more. */
export const ofError = ({ code, status, message, reason }: GatewayError): string =>
  `${JSON.stringify({
    error: {
      grpc_code: code,
      http_code: status,
      message,
      http_status: STATUS_CODES[status] ?? "",
      ...(reason === undefined ? {} : { reason })
    }
  })}\n`
