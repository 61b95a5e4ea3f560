// SPDX-License-Identifier: MIT
// Calls boss's XML-RPC methods: the parameters every method takes, and the reply every method
// gives. How bytes get there is handed in (boss-https.ts).
import {
  decodeResponse,
  double,
  encodeCall,
  memberOf,
  struct,
  text,
  type XmlRpcValue,
} from "../wire/xmlrpc/index.ts";

/** Carries the bytes of a call there and those of its response back. */
export type XmlRpcTransport = (call: Uint8Array) => Promise<Uint8Array>;

/** Version of the conventions between clients and boss. [EMULAB-EVENTS 2.3] */
export const clientVersion = 0.1;

export type Members = readonly (readonly [name: string, value: XmlRpcValue])[];

/** Boss did not do what was asked. The message is its own. */
export class BossCallError extends Error {
  override readonly name = "BossCallError";
  readonly method: string;
  /** The `code` of the reply, or of the fault. */
  readonly code: number;
  constructor(method: string, code: number, message: string) {
    super(message);
    this.method = method;
    this.code = code;
  }
}

export interface BossReply {
  readonly value: XmlRpcValue;
  readonly output: string;
}

/**
 * @returns the reply of a method that succeeded.
 * @throws BossCallError, or what the transport throws
 */
export async function callBoss(
  transport: XmlRpcTransport,
  method: string,
  members: Members,
): Promise<BossReply> {
  const params = [double(clientVersion), struct(members)];
  const response = decodeResponse(await transport(encodeCall({ method, params })));
  if (response.kind === "malformed") {
    throw new BossCallError(method, -1, `boss answers no XML-RPC: ${response.message}`);
  }
  if (response.kind === "fault") throw new BossCallError(method, response.code, response.message);
  const [code, value, output] = ["code", "value", "output"].map((name) =>
    memberOf(response.value, name),
  );
  if (code?.kind !== "int" || value === undefined || output?.kind !== "string") {
    throw new BossCallError(method, -1, "the reply has not code, value and output");
  }
  if (code.value !== 0) throw new BossCallError(method, code.value, output.value);
  return { value, output: output.value };
}

/** The members that name an experiment. */
export function experimentMembers(pid: string, eid: string): Members {
  return [
    ["proj", text(pid)],
    ["exp", text(eid)],
  ];
}
