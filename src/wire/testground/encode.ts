// SPDX-License-Identifier: MIT
// What the server sends, and, for clients of ours, what they send. [TESTGROUND 3, 4]
import type { Operation, Request, Response } from "./messages.ts";

/** One message; all five fields, and a newline at the end. */
export function encodeResponse(response: Response): string {
  const { kind, id } = response;
  const error = kind === "failed" ? response.error : "";
  const publish = kind === "published" ? `{"seq":${response.sequence}}` : "null";
  const signal = kind === "signalled" ? `{"seq":${response.sequence}}` : "null";
  if (kind === "message") return encodeMessage(id, quotePayload(response.payload));
  const head = `{"id":${JSON.stringify(id)},"error":${JSON.stringify(error)}`;
  return `${head},"publish":${publish},"subscribe":"","signal_entry":${signal}}\n`;
}

/** The text of a payload as a string of JSON; the same for all who have subscribed. */
export function quotePayload(payload: string): string {
  return JSON.stringify(payload);
}

/** A message of a topic. @param quoted see `quotePayload`. */
export function encodeMessage(id: string, quoted: string): string {
  const head = `{"id":${JSON.stringify(id)},"error":"","publish":null`;
  return `${head},"subscribe":${quoted},"signal_entry":null}\n`;
}

/** A request, as the libraries of Testground write it. */
export function encodeRequest({ id, isCancel, operation }: Request): string {
  const cancel = isCancel ? ',"is_cancel":true' : "";
  const body = operation === undefined ? "" : `,${encodeOperation(operation)}`;
  return `{"id":${JSON.stringify(id)}${cancel}${body}}`;
}

function encodeOperation(operation: Operation): string {
  switch (operation.kind) {
    case "publish":
      return `"publish":{"topic":${JSON.stringify(operation.topic)},"payload":${operation.payload}}`;
    case "subscribe":
      return `"subscribe":{"topic":${JSON.stringify(operation.topic)}}`;
    case "barrier":
      return `"barrier":{"state":${JSON.stringify(operation.state)},"target":${operation.target}}`;
    case "signal":
      return `"signal_entry":{"state":${JSON.stringify(operation.state)}}`;
  }
}
