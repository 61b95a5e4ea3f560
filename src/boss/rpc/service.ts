// SPDX-License-Identifier: MIT
// Boss's XML-RPC methods as one service: finds the method, checks what every call has, and makes a
// reply of whatever happens. Who may do what is decided in the methods.
//
//   V1. Every call of a known method is answered with {code, value, output}, never with a fault.
import { type ServiceCall, ServiceFault, type XmlRpcService } from "../../edges/xmlrpc/index.ts";
import { faultCodes, type XmlRpcValue } from "../../wire/xmlrpc/index.ts";
import { auditCall } from "../audit.ts";
import { BossError } from "../boss-error.ts";
import { Arguments, bad } from "./arguments.ts";
import { dataMethods } from "./data-methods.ts";
import type { Method, RpcContext } from "./method.ts";
import { nodeMethods } from "./node-methods.ts";
import { failure, type Reply, replyCodes, replyOf, valueOfReply } from "./reply.ts";
import { swapMethods } from "./swap-methods.ts";
import { waitMethods } from "./wait-methods.ts";

/** Conventions that are spoken: clients say the version they know. [EMULAB-EVENTS 2.3] */
const versionSpoken = "0.1";

const methods: ReadonlyMap<string, Method> = new Map([
  ...Object.entries(dataMethods),
  ...Object.entries(swapMethods),
  ...Object.entries(waitMethods),
  ...Object.entries(nodeMethods),
]);

/** What others notice; the rest looks. */
const changing: ReadonlySet<string> = new Set([
  ...Object.keys(swapMethods),
  ...Object.keys(nodeMethods).filter((name) => name.startsWith("node.")),
]);

export class BossRpc implements XmlRpcService {
  readonly #context: RpcContext;

  constructor(context: RpcContext) {
    this.#context = context;
  }

  /** @throws ServiceFault for a name that is no method */
  async call(call: ServiceCall): Promise<XmlRpcValue> {
    if (call.method === "system.listMethods") {
      const names = [...methods.keys()].sort((a, b) => (a < b ? -1 : 1));
      return { kind: "array", value: names.map((value) => ({ kind: "string", value })) };
    }
    const method = methods.get(call.method);
    if (method === undefined) {
      const message = `there is no method ${call.method}; system.listMethods names those there are`;
      throw new ServiceFault(faultCodes.noSuchMethod, message);
    }
    const reply = await this.#reply(method, call);
    if (changing.has(call.method)) this.#context.audit(auditCall(call, reply.code));
    return valueOfReply(reply);
  }

  /** V1. @throws what is a fault of Muster */
  async #reply(method: Method, { user, params, signal }: ServiceCall): Promise<Reply> {
    const [version, given, ...rest] = params;
    if (!isVersion(version)) {
      const message = `the first parameter must be the version of the client, ${versionSpoken}`;
      return failure(replyCodes.badVersion, message);
    }
    try {
      if (given?.kind !== "struct" || rest.length > 0) {
        throw bad("the second and last parameter must be a struct of arguments");
      }
      const args = new Arguments(given.value);
      return await method({ context: this.#context, user, args, signal });
    } catch (error) {
      if (error instanceof BossError) return replyOf(error);
      throw error;
    }
  }
}

function isVersion(value: XmlRpcValue | undefined): boolean {
  return (
    (value?.kind === "double" || value?.kind === "string") && String(value.value) === versionSpoken
  );
}
