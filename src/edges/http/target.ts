// SPDX-License-Identifier: MIT
// The target of a request, which is whatever the client has written there.
import type { IncomingMessage } from "node:http";
import { HttpError } from "./errors.ts";

/** Its path and query; the rest of the URL means nothing. @throws HttpError (invalid) */
export function targetOf(request: Pick<IncomingMessage, "url">): URL {
  const target = URL.parse(request.url ?? "/", "http://door");
  if (target !== null) return target;
  throw new HttpError("invalid", "the request's target is not a path; see /openapi.json");
}
