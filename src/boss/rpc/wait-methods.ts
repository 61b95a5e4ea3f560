// SPDX-License-Identifier: MIT
// Methods that wait for a state. Who waits says for how long; a wait that ends without its state
// says what is missing. [EMULAB-EVENTS 7.8]
import { struct, text, type XmlRpcValue } from "../../wire/xmlrpc/index.ts";
import type { WaitOutcome } from "../state-waits.ts";
import { isExperimentState } from "../states.ts";
import { bad } from "./arguments.ts";
import { find, findNode, type Method, type Methods, type RpcCall } from "./method.ts";
import { failure, type Reply, replyCodes, success } from "./reply.ts";

const waitForActive: Method = async (call) => {
  return waitForExperiment(call, ["active"]);
};

const experimentStateWait: Method = async (call) => {
  const states = call.args.names("state");
  const wrong = states.find((state) => !isExperimentState(state));
  if (wrong !== undefined) throw bad(`${JSON.stringify(wrong)} is no state of an experiment`);
  return waitForExperiment(call, states);
};

async function waitForExperiment(call: RpcCall, states: readonly string[]): Promise<Reply> {
  const { pid, eid } = find(call, "see");
  const timeoutMs = call.args.waitMs("timeout");
  const options = { names: [`${pid}/${eid}`], states, timeoutMs, signal: call.signal };
  const outcome = await call.context.waits.experiments(options);
  if (outcome.kind !== "reached") return notReached(outcome, states);
  const [[, state = ""] = []] = outcome.states;
  return success(text(state), state);
}

const nodeStateWait: Method = async (call) => {
  const names = call.args.names("node");
  const states = call.args.names("state");
  const nodes = names.map((name) => findNode(call, name, "see").nodeId);
  const timeoutMs = call.args.waitMs("timeout");
  const options = { names: nodes, states, timeoutMs, signal: call.signal };
  const outcome = await call.context.waits.nodes(options);
  if (outcome.kind !== "reached") return notReached(outcome, states);
  const output = [...outcome.states].map(([node, state]) => `${node}: ${state}\n`).join("");
  return success(statesValue(outcome.states), output);
};

/** The value is a struct of who is missing and the state each is in. */
function notReached(
  outcome: Exclude<WaitOutcome, { readonly kind: "reached" }>,
  states: readonly string[],
): Reply {
  const missing = [...outcome.missing].map(([name, state]) => `${name} is ${state}`).join(", ");
  const wanted = states.join(" or ");
  const why = outcome.kind === "timed-out" ? "not in time" : outcome.reason;
  const code = outcome.kind === "timed-out" ? replyCodes.timedOut : replyCodes.error;
  return failure(code, `${wanted}: ${why}: ${missing}`, statesValue(outcome.missing));
}

function statesValue(states: ReadonlyMap<string, string>): XmlRpcValue {
  return struct([...states].map(([name, state]) => [name, text(state)] as const));
}

export const waitMethods: Methods = {
  "experiment.waitforactive": waitForActive,
  "experiment.statewait": experimentStateWait,
  "node.statewait": nodeStateWait,
};
