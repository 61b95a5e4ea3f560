// SPDX-License-Identifier: MIT
// What the orchestrator sees of process nodes: the plan it hands over, the nodes it gets back, and
// the programs it starts on them. Only types; how they come about is in process-nodes.ts.
import type { Link } from "../../experiment/model.ts";
import type { Clock } from "../../host/clock.ts";
import type { TrafficElsewhere } from "../agents/trafgen/traffic-agent.ts";
import type { NodeAddress } from "../run-event.ts";
import type { NetworkDoors, NetworkPlan, NodeLinks, Relinking } from "./network-plan.ts";
import type { NodeGroupLimits } from "./node-groups.ts";
import type { NodePlan } from "./node-plan.ts";

/**
 * `namespace`: every node has its own mount, process, host-name and IPC namespace.
 * `environment`: the kernel or the container forbids that; nodes differ by environment only.
 */
export type NodeMode = "namespace" | "environment";

export interface BackendOptions {
  /** Lower-case letters and digits; names the temporary directory and marks every process. */
  readonly runId: string;
  readonly pid: string;
  readonly eid: string;
  /** Last part of the control names, `<node>.<eid>.<pid>.<domain>`. */
  readonly domain: string;
  readonly seed: number;
  /** Absolute; `nodes/<node>/...` and `proj` below it are kept after the run. */
  readonly out: string;
  readonly nodes: readonly NodePlan[];
  /** All nodes of a run of which some are elsewhere: addresses are numbered by these. */
  readonly numbering?: readonly NodePlan[];
  /** Why there are no namespaces, where `mode` asks for none and the user has not. */
  readonly notNamespaces?: string;
  /** The nodes only stand in here for those of other machines: nobody enters them. */
  readonly standIn?: NodesElsewhere;
  readonly links: readonly Link[];
  readonly syncServer: string | undefined;
  /** `opt(NAME)` values of the file, in order. */
  readonly environment: readonly (readonly [name: string, value: string])[];
  /** Command name on the nodes -> executable of this machine. */
  readonly tools: Readonly<Record<string, string>>;
  /** What nodes may have of this machine, where it has control groups for us. */
  readonly groupLimits?: NodeGroupLimits;
  /** Left out: what the probe finds, or `MUSTER_NODES` when it is set. */
  readonly mode?: NodeMode;
  /** `shell`: holders are made as where there is no perl. */
  readonly holders?: "shell";
  /** A network of their own for the nodes, or why they are to have none; left out: none. */
  readonly network?: NetworkPlan | { readonly refused: string } | undefined;
  readonly clock: Clock;
  /** Ends what may take long while nodes are made; left out, nothing does. */
  readonly interrupt?: AbortSignal;
  readonly onMessage: (level: "info" | "warning", node: string | null, text: string) => void;
  /** Directory of the experiment file, seen by nodes read-only as `/proj/<pid>/data`. */
  readonly projectFiles?: string;
}

/** Said where it would be misunderstood otherwise. */
export type NodesElsewhere = "nodes are elsewhere";

export interface SpawnSpec {
  /** Name of the program, for messages. */
  readonly name: string;
  /** Run directly. Exactly one of `argv` and `command` is given. */
  readonly argv?: readonly string[];
  /** Run by a shell. */
  readonly command?: string;
  /** What reads the command: `testbed`, the default, is what `NodeBackend.shell` says. */
  readonly shell?: "testbed" | "csh" | "sh";
  /** Working directory as the node sees it; `""` is the node's `/tmp`. */
  readonly directory: string;
  /** Added to the environment of the node; cannot replace `MUSTER_*`. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Absolute path on this machine of a file to append to; may equal `stderr`. */
  readonly stdout: string;
  readonly stderr: string;
  /** What it uses is wanted: it gets a parent of its own, where the machine has what that takes. */
  readonly isMeasured?: boolean;
}

export interface ExitStatus {
  /** null when a signal ended it. */
  readonly exitCode: number | null;
  /** `SIGTERM`, ... or null. */
  readonly signal: string | null;
  readonly endedMonotonicUs: number;
  /** Undefined where it was not measured. */
  readonly usage?: ProgramUsage | undefined;
}

/** What the kernel counts for a program and all below it that was waited for there. */
export interface ProgramUsage {
  /** In user and kernel. */
  readonly cpuUs: number;
  /** The most memory of one process of them, KiB. */
  readonly rssKibMax: number;
}

export interface NodeProcess {
  /** As this machine counts processes; also the number of its process group and session. */
  readonly pid: number;
  readonly startedMonotonicUs: number;
  /** Never rejects. */
  readonly done: Promise<ExitStatus>;
  /** Sends nothing to a process that has ended; an unknown signal name is ignored. */
  signal(name: string, whole: "group" | "process"): void;
}

/** Why a program did not start, as a sentence that says what to do where that is known. */
export interface StartError {
  readonly startError: string;
}

/**
 * A program that is loaded and waits to be let go, so that many can start at one instant. One of
 * `start`, `released` and `discard` is called, once.
 */
export interface PreparedProcess {
  /**
   * What lets the program go when somebody else writes it, such as a firing thread; undefined when
   * only `start` can. The descriptor is open until `released` or `discard`.
   */
  readonly trigger: StartTrigger | undefined;
  /** Lets it go on another machine, where there is no trigger. */
  readonly remote?: RemoteStart;
  /** Lets it go. The instant of the start is when this is called, not when it resolves. */
  start(): Promise<NodeProcess | StartError>;
  /** The trigger was written at this instant. */
  released(monotonicUs: number): Promise<NodeProcess | StartError>;
  /** Ends it unstarted. Does nothing after `start`. */
  discard(): void;
}

/** What lets a program go at an instant to come, by the clock of the machine it is on. */
export interface RemoteStart {
  /** So long before the instant it has to be asked; it cannot be taken back then. */
  readonly aheadUs: number;
  /** In place of `start`, once. */
  startAt(dueUs: number): Promise<NodeProcess | StartError>;
}

export interface StartTrigger {
  readonly descriptor: number;
  readonly text: string;
}

export interface RunningNode {
  readonly name: string;
  /** The control address first, then one per link address of the file. */
  readonly addresses: readonly NodeAddress[];
  /** Where this node calls the servers of the run: who calls there is this node. */
  readonly calledAt: string;
  /** Directories of this machine. */
  readonly hostPath: {
    readonly boot: string;
    readonly localLogs: string;
    /** `<out>/nodes/<name>` */
    readonly root: string;
  };
  /** Where it is on another machine; what is at `hostPath` is brought there and back by this. */
  readonly elsewhere?: NodeElsewhere;
  /** Starts a program in a session and process group of its own. */
  spawn(spec: SpawnSpec): Promise<NodeProcess | StartError>;
  /** Does everything but the start. */
  prepare(spec: SpawnSpec): Promise<PreparedProcess | StartError>;
}

export interface NodeElsewhere {
  readonly host: string;
  /** Where its programs call the servers of the run, as they see it; `calledAt` is here. */
  readonly serversAt: string;
  /** An instant of its monotonic clock as this machine counts, as far as they were compared. */
  toOwn(us: number): number;
  /** Writes a file of the node; one of that name is replaced. @throws Error */
  put(file: {
    /** In its boot directory, or its hosts file. */
    readonly place: "boot" | "hosts";
    readonly name: string;
    readonly text: string;
    readonly mode: number;
  }): Promise<void>;
  /** Obeys for the ends of flows at this node. */
  readonly traffic: TrafficElsewhere;
}

export interface NodeBackend {
  readonly mode: NodeMode;
  /** What nodes of this run lack, one sentence each. */
  readonly lost: readonly string[];
  /** How nodes reach the servers of the run, where they do not share this machine's network. */
  readonly doors?: NetworkDoors | undefined;
  /** The links of nodes that have a network of their own, here or on other machines. */
  readonly nodeLinks?: NodeLinks | undefined;
  /** Where commands of this user may reach the links of the run, by a socket; goes with it. */
  readonly linkDoor?: string;
  /** Where servers of a node are started, when its programs are on other machines. */
  readonly servers?: NodeBackend;
  /** Resolves when nodes are lost, with a sentence that says which and why. */
  readonly failed?: Promise<string>;
  /** The same as far as it is known now: what ran there ends before `failed` resolves. */
  readonly lostNodes?: () => string | undefined;
  /** Those that are up; `add` and `remove` change it. */
  readonly nodes: ReadonlyMap<string, RunningNode>;
  /** `csh -f -c` or `bash -c`; `""` when the machine has neither and commands are refused. */
  readonly shell: string;
  /**
   * Brings further nodes up. A name that was there before gets its addresses back; a new one has no
   * links. @throws Error with a sentence for the user; none of them is there then.
   */
  add(plans: readonly NodePlan[]): Promise<void>;
  /** Why links cannot become these while nodes run; left out: no links can be made or go. */
  readonly relinkRefusal?: ((to: Relinking) => string | undefined) | undefined;
  /**
   * Makes and takes away links, and gives nodes the interfaces, addresses and routes that they have
   * then. What stays as it is carries on. @throws Error: the network is in no known state then
   */
  relink?(to: Relinking, plans: readonly NodePlan[]): Promise<void>;
  /**
   * Ends nodes with all that runs there. What they have written to the results stays; their own
   * temporary directories go, unless the nodes come back and are to find them.
   */
  remove(names: readonly string[], files?: "remove-files" | "keep-files"): Promise<void>;
  /** Ends every process and removes what is not kept. Idempotent; takes seconds at most. */
  stop(): Promise<void>;
}
