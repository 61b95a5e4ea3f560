// SPDX-License-Identifier: MIT
// One call from bytes to bytes, whatever carries them. Every message has an answer: what cannot be
// read, and what breaks, is a fault.
import { errorText } from "../../core/text.ts";
import type { Logger } from "../../host/logger.ts";
import { decodeCall, encodeResponse, faultCodes } from "../../wire/xmlrpc/index.ts";
import { ServiceFault, type XmlRpcService } from "./service.ts";

export interface AnswerOptions {
  readonly service: XmlRpcService;
  readonly logger: Logger;
  readonly user: string;
  readonly signal: AbortSignal;
}

/** @returns the bytes of a response; never rejects. */
export async function answer(message: Uint8Array, options: AnswerOptions): Promise<Uint8Array> {
  const { service, logger, user, signal } = options;
  let what = "what reads messages";
  try {
    const call = decodeCall(message);
    if (call.kind === "malformed") {
      const code = call.code === "not-xml" ? faultCodes.notXml : faultCodes.notXmlRpc;
      return encodeResponse({ kind: "fault", code, message: call.message });
    }
    const { method, params } = call;
    what = method;
    const value = await service.call({ user, method, params, signal });
    return encodeResponse({ kind: "value", value });
  } catch (error) {
    const text = errorText(error);
    if (error instanceof ServiceFault) {
      return encodeResponse({ kind: "fault", code: error.code, message: text });
    }
    logger.log("error", `a fault of Muster in ${what}: ${text}`);
    const told = `a fault of Muster, please report it: ${text}`;
    return encodeResponse({ kind: "fault", code: faultCodes.internal, message: told });
  }
}
