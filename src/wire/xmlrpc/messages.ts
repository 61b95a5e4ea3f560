// SPDX-License-Identifier: MIT
// What travels: a call, and its response, which is a value or a fault.
import type { XmlRpcValue } from "./values.ts";

export interface MethodCall {
  readonly kind: "call";
  readonly method: string;
  readonly params: readonly XmlRpcValue[];
}

export interface MethodValue {
  readonly kind: "value";
  readonly value: XmlRpcValue;
}

export interface Fault {
  readonly kind: "fault";
  readonly code: number;
  readonly message: string;
}

export type MethodResponse = MethodValue | Fault;

/** Bytes that are no message. Definite: nothing was called. */
export interface Malformed {
  readonly kind: "malformed";
  /** `not-xml`: no document; `not-xmlrpc`: a document that is no message. */
  readonly code: "not-xml" | "not-xmlrpc";
  readonly message: string;
}

/** The codes that servers agree on for what the method never saw. */
export const faultCodes = {
  notXml: -32_700,
  notXmlRpc: -32_600,
  noSuchMethod: -32_601,
  badParams: -32_602,
  internal: -32_603,
  /** Nobody was reached who could answer. */
  transport: -32_300,
} as const;
