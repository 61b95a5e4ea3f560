// SPDX-License-Identifier: MIT
// The seam between nodes and what connects them. Nodes give namespaces and say how each end of a
// link is called; a back end puts an interface there and connects the ends, shaped or not. Then
// nodes give the interfaces their addresses, neighbours and routes, and set them up.
//
//   K1. A back end makes interfaces, and never sets the one in a node down: routes would go. What
//       is down loses packets instead. [measured: routes do not come back with the interface]
//   K2. What it makes lies in namespaces of the run (the nodes' and the hub), so that the kernel
//       removes all of it with the run's holders.
import type { ChildProcess } from "node:child_process";

/** A network namespace of a run, by a process that has it: `/proc/<pid>/ns/net`. */
export interface NetNamespace {
  /** As this machine counts processes; what `ip link ... netns PID` takes. */
  readonly pid: number;
}

/** What can be done in the namespaces of a run; hides whether they are root's or a user's. */
export interface NamespaceCommands {
  /** The namespace of the run itself, that no program of the user is in: bridges, shapers. */
  readonly hub: NetNamespace;
  /** The command line that runs `argv` in the namespace, with the rights over it. */
  enter(namespace: NetNamespace, argv: readonly string[]): readonly string[];
  /**
   * Lines for one process of `ip -batch` in the namespace. `dev` and `netns PID` in them are of
   * that namespace and of this machine. @throws NetworkError with the line that failed
   */
  ip(namespace: NetNamespace, lines: readonly string[]): Promise<void>;
  /** Runs a program to its end. @throws NetworkError when it does not end with 0 */
  run(namespace: NetNamespace, argv: readonly string[], input?: string): Promise<string>;
  /**
   * Starts a program that stays; it gets SIGKILL when Muster ends, however that ends.
   * @param descriptor of a file or socket here that it has as number 3
   */
  spawn(namespace: NetNamespace, argv: readonly string[], descriptor?: number): ChildProcess;
}

/** One end of a link, as it is to be called in its node. */
export interface LinkEnd {
  readonly link: string;
  readonly node: string;
  /** Interface number at the node, as in the file. */
  readonly port: number;
  readonly namespace: NetNamespace;
  /** `eth1`, ...: short whatever the link is called; at most 15 bytes. */
  readonly interfaceName: string;
  /** `02:4d:...` */
  readonly mac: string;
  /** Of the packets of the node; an outer header comes on top of it. */
  readonly mtu: number;
  /** Unique in the run and below 2^20: names of devices in the hub, VNIs. */
  readonly slot: number;
}

/** A link or LAN with its ends, in the order of its members. */
export interface LinkEnds {
  readonly name: string;
  readonly kind: "link" | "lan";
  readonly ends: readonly LinkEnd[];
}

/** A LAN that is attached and gets more ends. */
export interface GrownLink extends LinkEnds {
  /** So many of its ends are there; the others come behind them. */
  readonly kept: number;
}

/**
 * Connects ends. `Plan` is what it must know of a link to shape it, `Change` what can be changed
 * while the run goes on; the unshaped one needs neither.
 */
export interface LinkBackend<Plan = unknown, Change = unknown> {
  readonly kind: "none" | "netem" | "delay-node";
  /**
   * Makes an interface for each end: in its namespace, with its name, MAC and MTU, down, without
   * an address; and connects the ends of each link. Called once for all links of a run, and again
   * for links that come later. @throws NetworkError; what was made goes with the run
   */
  attach(links: readonly LinkEnds[], plans: ReadonlyMap<string, Plan>): Promise<void>;
  /**
   * Takes away links that were attached, with what is on its way in them, and their interfaces;
   * names and numbers of their ends are free then. @throws NetworkError
   */
  detach(links: readonly LinkEnds[]): Promise<void>;
  /**
   * Ends join LANs that are attached; what goes between those that are there is not disturbed. What
   * is asked of those may be otherwise, too. Left out, LANs cannot grow. @throws NetworkError
   */
  grow?(links: readonly GrownLink[], plans: ReadonlyMap<string, Plan>): Promise<void>;
  /**
   * Changes of one instant, as one; without losing or leaking a packet.
   * @throws NetworkError; nothing is changed then as far as that can be
   */
  set(changes: readonly Change[]): Promise<void>;
  /** Resolves when links are no more what they should be, with a sentence that says why. */
  readonly failed: Promise<string>;
  /** Ends its processes. Devices go with the namespaces. Idempotent. */
  stop(): Promise<void>;
}

/** Takes the interfaces of ends out of their nodes; the other end of a pair goes with its own. */
export async function removeInterfaces(
  commands: NamespaceCommands,
  ends: readonly LinkEnd[],
): Promise<void> {
  const byNode = Map.groupBy(ends, ({ namespace }) => namespace.pid);
  await Promise.all(
    [...byNode.values()].map(async (own) => {
      const [first] = own;
      if (first === undefined) return;
      const lines = own.map(({ interfaceName }) => `link del dev ${interfaceName}`);
      await commands.ip(first.namespace, lines);
    }),
  );
}

/** A sentence for the user: what could not be done to the network of the run, and why. */
export class NetworkError extends Error {
  override readonly name = "NetworkError";
  /** Nothing is missing here: somebody was too slow this time, or was ended. */
  readonly isPassing: boolean;

  constructor(
    message: string,
    { isPassing = false, ...options }: ErrorOptions & { readonly isPassing?: boolean } = {},
  ) {
    super(message, options);
    this.isPassing = isPassing;
  }
}
