// SPDX-License-Identifier: MIT
// The Testground plan of a run: one sync service for its instances, what each is told, and how each
// says that it ended. An event does not say which instance sent it, so each instance calls the
// service at an address of its own: who calls there is that instance.
//
//   I1. Each instance has one outcome: the first that it says.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { type InstanceEvent, Testground } from "../../edges/testground/index.ts";
import type { GroupInstance, Program } from "../../experiment/model.ts";
import type { Host } from "../../host/host.ts";
import { nameState } from "../../wire/testground/index.ts";
import { blockOf, instanceAddress } from "../nodes/addresses.ts";
import type { NodeBackend } from "../nodes/index.ts";
import type { InstanceEnded, Message } from "../run-event.ts";
import type { RunOptions } from "../run-options.ts";
import { instanceEnvironment } from "./instance-environment.ts";
import { dataSubnet, defaultLink, isOnLink, NetworkSidecar } from "./network-sidecar.ts";
import { outputsOf } from "./outputs.ts";

export interface RunTestgroundOptions {
  readonly run: Pick<RunOptions, "experiment" | "runId" | "out" | "clock" | "logger" | "limits">;
  readonly host: Host;
  readonly backend: NodeBackend;
  readonly scope: string;
  readonly say: (event: InstanceEnded | Message) => void;
  readonly onWarning: (text: string, node?: string | null) => void;
  /** The service is gone for good. */
  readonly onLost: (message: string) => void;
}

export interface RunTestground {
  /** The programs of the experiment, the instances among them with what they are told. */
  readonly programs: readonly Program[];
  close(): Promise<void>;
}

/** Nothing to do, for an experiment without a plan. */
const none = (programs: readonly Program[]): RunTestground => ({
  programs,
  close: () => Promise.resolve(),
});

/** Opens the service. @throws Error of the platform when an address cannot be had. */
export async function openRunTestground(options: RunTestgroundOptions): Promise<RunTestground> {
  const { run, host, backend, scope } = options;
  const { experiment, runId, clock, logger, limits } = run;
  const { programs, testground: plan } = experiment;
  const instances = programs.filter(({ instance }) => instance !== undefined);
  const [anyNode] = backend.nodes.values();
  if (plan === undefined || instances.length === 0 || anyNode === undefined) return none(programs);
  const block = blockOf(anyNode.calledAt);
  const byAddress = new Map(
    instances.map((program, index) => [instanceAddress(block, index), program]),
  );
  const outcomes = new Outcomes(options, byAddress);
  const sidecar = sidecarOf(options);
  const door = new Testground({
    ...{ scope, run: runId, edge: "testground", clock, logger, limits },
    connect: host.connectEdge,
    topics: host.topics,
    addresses: [...byAddress.keys()],
    port: 0,
    nodeOf: (address) => byAddress.get(address)?.node,
    nameOf: (address) => byAddress.get(address)?.name,
    onEvent: (event) => outcomes.add(event),
    configureNetwork: sidecar?.configure,
    onClosed: (reason) => options.onLost(`the sync service of the instances: ${reason}`),
  });
  const port = await door.listen();
  const { doors } = backend;
  await doors?.open([{ kind: "tcp", port, behind: "called" }]);
  const startedWallMs = clock.wallMs();
  if (sidecar !== undefined) {
    // Links are there before any instance is.
    const state = nameState(`plan:${plan.plan}:case:${plan.testCase}:`, "network-initialized");
    for (const [address, { name, node }] of byAddress)
      door.signal(scope, state, { address, name, node });
  }
  const told = new Map(
    [...byAddress].map(([address, program]): [string, Program] => {
      const instance = program.instance ?? { group: "", number: 0 };
      const { links } = experiment;
      const link = sidecar && defaultLink(links, program.node);
      const variables = instanceEnvironment({
        ...{ plan, runId, port, startedWallMs },
        host: doors?.seen(address) ?? address,
        instance,
        ...makeDirectories(options, program.name, instance),
        hasSidecar: sidecar !== undefined && isOnLink(links, program.node),
        subnet: (link && dataSubnet(link)) ?? doors?.subnet ?? `127.${block}.0.0/16`,
      });
      // What the file says of a program goes before what the plan is told of it.
      const environment = [...Object.entries(variables), ...(program.environment ?? [])];
      return [program.name, { ...program, environment }];
    }),
  );
  return {
    programs: programs.map((program) => told.get(program.name) ?? program),
    close: () => door.close(),
  };
}

/** Where links can be changed. */
function sidecarOf(options: RunTestgroundOptions): NetworkSidecar | undefined {
  const { backend, run, say, onWarning } = options;
  const shaped = backend.doors?.shaped;
  if (shaped === undefined) return undefined;
  return new NetworkSidecar({
    ...{ experiment: run.experiment, shaped },
    onDone: (node, text) => say({ type: "message", level: "info", node, text }),
    onRefused: (node, text) => onWarning(text, node),
  });
}

function makeDirectories(
  { run: { experiment, out }, backend }: RunTestgroundOptions,
  name: string,
  instance: GroupInstance,
) {
  const { pid, eid } = experiment;
  const seenAs = backend.mode === "namespace" ? `/proj/${pid}/exp/${eid}` : join(out, "proj");
  const make = (path: string): string => {
    mkdirSync(join(out, path), { recursive: true });
    return join(seenAs, path.slice("proj/".length));
  };
  const temporary = make(join("proj", "tmp", name));
  return { outputs: make(outputsOf(instance)), temporary };
}

/** I1. */
class Outcomes {
  readonly #options: RunTestgroundOptions;
  readonly #programs: ReadonlyMap<string, Program>;
  readonly #known = new Map<string, InstanceEvent>();

  constructor(options: RunTestgroundOptions, byAddress: ReadonlyMap<string, Program>) {
    this.#options = options;
    this.#programs = new Map([...byAddress.values()].map((program) => [program.name, program]));
  }

  add(event: InstanceEvent): void {
    const { say, onWarning } = this.#options;
    const name = event.peer.name ?? "";
    const program = this.#programs.get(name);
    if (program?.instance === undefined) return;
    const first = this.#known.get(name);
    if (first !== undefined) {
      if (first.outcome === event.outcome) return;
      onWarning(`${name} said ${first.outcome} and then ${event.outcome}; the first counts`);
      return;
    }
    this.#known.set(name, event);
    const { outcome, error } = event;
    say({ type: "instance-ended", name, node: program.node, ...program.instance, outcome, error });
  }
}
