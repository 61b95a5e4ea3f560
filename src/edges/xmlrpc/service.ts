// SPDX-License-Identifier: MIT
// What stands behind the XML-RPC door: somebody who answers calls. The door says who calls; what a
// caller may do is the service's business.
import type { XmlRpcValue } from "../../wire/xmlrpc/index.ts";

export interface ServiceCall {
  /** Login name, of the certificate or of the process that was logged in to. */
  readonly user: string;
  readonly method: string;
  readonly params: readonly XmlRpcValue[];
  /** Aborted when nobody waits for the answer any more. */
  readonly signal: AbortSignal;
}

export interface XmlRpcService {
  /** @throws ServiceFault for what never reached a method; anything else is a fault of Muster. */
  call(call: ServiceCall): Promise<XmlRpcValue>;
}

/** An answer that is a fault. Definite: nothing was done. */
export class ServiceFault extends Error {
  override readonly name = "ServiceFault";
  readonly code: number;
  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}
