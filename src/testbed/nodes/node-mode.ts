// SPDX-License-Identifier: MIT
// How the nodes of a run are told apart from this machine and each other: with a network of their
// own, with namespaces but this machine's network, or by their environment alone. Each is tried by
// doing it; what fails is a reason, said to the user.
import { eventPorts } from "../../client/event-address.ts";
import { errorText } from "../../core/text.ts";
import type { OpenPort } from "../../network/gate.ts";
import { NetworkError } from "../../network/link-backend.ts";
import { isPassingFailure } from "../../network/passing-failure.ts";
import { barrierPort, testbedPort } from "../../wire/gnunet/index.ts";
import { alternatePort, mainPort } from "../../wire/tmcd/index.ts";
import type { NodeAddresses } from "./addresses.ts";
import { describeLosses, describeLost } from "./losses.ts";
import type { HeldNode, Namespaces, NoNamespaces, startNamespaces } from "./namespaces.ts";
import type { NetworkPlan } from "./network-plan.ts";
import type { BackendOptions, NodeMode } from "./node-backend.ts";
import { NodesError } from "./nodes-error.ts";
import { OwnNetwork } from "./own-network.ts";
import { findProgram } from "./system-programs.ts";

/** Variable in which programs find the door for native clients. */
export const doorVariable = "MUSTER_SERVER";

export interface ModeInput {
  readonly options: BackendOptions;
  readonly block: number;
  readonly temporary: string;
  /** In the run's block, as this machine has them. */
  readonly addresses: ReadonlyMap<string, NodeAddresses>;
  /**
   * Plans all nodes, as they see each other in that network or in this machine's. Called again when
   * another way is tried.
   */
  readonly draft: (plan: NetworkPlan | undefined) => readonly HeldNode[];
  /** Writes the files of nodes as they were planned last. */
  readonly writeFiles: () => void;
  /** Starts holders for nodes that `draft` has returned, and writes their files. */
  readonly hold: (
    nodes: readonly HeldNode[],
    hasNetwork: boolean,
  ) => ReturnType<typeof startNamespaces>;
}

export interface ChosenMode {
  readonly namespaces: Namespaces | undefined;
  readonly network: OwnNetwork | undefined;
  readonly lost: readonly string[];
}

/** @throws NodesError when what was asked for cannot be had */
export async function chooseMode(input: ModeInput): Promise<ChosenMode> {
  const { options } = input;
  const asked = askedMode(options);
  const plan = options.network !== undefined && "topology" in options.network;
  const network = plan ? (options.network as NetworkPlan) : undefined;
  const isForbidden = asked === "environment";
  let noNetwork = options.network !== undefined && !plan ? refusalOf(options) : undefined;
  if (network !== undefined) {
    const tried = isForbidden ? "MUSTER_NODES is environment" : await tryNetwork(input, network);
    if (typeof tried !== "string") return tried;
    if (network.isRequired) {
      throw new NodesError(`nodes with a network of their own were asked for: ${tried}`);
    }
    noNetwork = tried;
  }
  const held = input.draft(undefined);
  if (isForbidden) {
    input.writeFiles();
    return without([], noNetwork, options.notNamespaces);
  }
  const result = await input.hold(held, false);
  if ("entrances" in result) {
    tellWarnings(result, options);
    const { asUser } = result;
    const why = noNetwork === undefined ? {} : { noNetwork };
    const lost = describeLosses({ kind: "namespace", asUser, ...why });
    return { namespaces: result, network: undefined, lost };
  }
  if (asked === "namespace") {
    throw new NodesError(`nodes with namespaces were asked for: ${result.reasons.join("; ")}`);
  }
  // Nobody may have come so far as to want them.
  input.writeFiles();
  return without(result.reasons, noNetwork);
}

function without(
  reasons: readonly string[],
  noNetwork: string | undefined,
  implied?: string,
): ChosenMode {
  const more = {
    ...(noNetwork === undefined ? {} : { noNetwork }),
    ...(implied === undefined ? {} : { implied }),
  };
  const lost = describeLosses({ kind: "environment", reasons, ...more });
  return { namespaces: undefined, network: undefined, lost };
}

function refusalOf({ network }: BackendOptions): string | undefined {
  return network !== undefined && "refused" in network ? network.refused : undefined;
}

/** @returns why there is none; nothing of it is left then. */
async function tryNetwork(input: ModeInput, plan: NetworkPlan): Promise<ChosenMode | string> {
  const { options, block, temporary, addresses } = input;
  if (findProgram("ip") === undefined) return "ip not found; install iproute2";
  const held = input.draft(plan);
  const namespaces: Namespaces | NoNamespaces = await input.hold(held, true);
  if (!("entrances" in namespaces)) return namespaces.reasons.join("; ");
  const { runId, clock, interrupt } = options;
  const own = new OwnNetwork({
    ...{ plan, namespaces, runId, block, temporary, clock, interrupt, addresses },
  });
  try {
    await own.connect(
      held.map(({ name }) => name),
      portsOf(options),
    );
  } catch (error) {
    // As it is before they are ended here: what has no process to enter has failed by that.
    const gone = namespaces.gone();
    await own.stop();
    await namespaces.stop();
    if (gone.length > 0) throw new NodesError(describeLost(gone), { cause: error });
    return lackOf(error);
  }
  tellWarnings(namespaces, options);
  const { asUser } = namespaces;
  return { namespaces, network: own, lost: describeLosses({ kind: "namespace", asUser }) };
}

/**
 * What the machine lacks, for which a run does with less. What may be otherwise the next time is no
 * such thing: a run would be without its links for a machine that was busy.
 *
 * @throws NodesError for that
 */
export function lackOf(error: unknown): string {
  const why = errorText(error);
  const failed = { status: null, signal: null, said: why };
  const isPassing = error instanceof NetworkError && error.isPassing;
  if (!isPassing && !isPassingFailure(failed)) return why;
  throw new NodesError(`the network of the nodes cannot be made: ${why}`, { cause: error });
}

/** What nodes may call of a run, whatever the file has. */
export function portsOf(options: BackendOptions): readonly OpenPort[] {
  const called = (kind: "tcp" | "udp", port: number): OpenPort => ({
    kind,
    port,
    behind: "called",
  });
  const doorPort = doorPortOf(options);
  return [
    ...[mainPort, alternatePort].flatMap((port) => [called("tcp", port), called("udp", port)]),
    ...[eventPorts.experiments, testbedPort, barrierPort].map((port) => called("tcp", port)),
    ...(doorPort === 0 ? [] : [{ kind: "tcp", port: doorPort, behind: "machine" } as const]),
  ];
}

/** Of the door for native clients, on this machine; 0 for none. */
export function doorPortOf({ environment }: BackendOptions): number {
  const door = environment.find(([name]) => name === doorVariable)?.[1];
  return door === undefined ? 0 : Number(new URL(door).port);
}

function tellWarnings({ warnings }: Namespaces, { onMessage }: BackendOptions): void {
  if (warnings !== "") onMessage("info", null, warnings);
}

/** @throws NodesError when `MUSTER_NODES` holds something else than a mode. */
function askedMode(options: BackendOptions): NodeMode | undefined {
  const asked = options.mode ?? process.env["MUSTER_NODES"] ?? "";
  if (asked === "namespace" || asked === "environment") return asked;
  if (asked === "") return undefined;
  throw new NodesError(`MUSTER_NODES is ${asked}; it can be namespace or environment`);
}
