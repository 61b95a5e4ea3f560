// SPDX-License-Identifier: MIT
// Process nodes: brings the nodes of an experiment up on this machine and takes them down again.
// This file decides and orders; the parts are addresses, files, namespaces, programs, the reaper.
//   N1. Whatever ends Muster, nothing of the run outlives it: programs, holders, mounts, sockets,
//       temporary directories (the limits of environment mode are in `lost`).
//   N2. No process of Muster per node but the holder, which is blocked and no Node.

import { rmSync } from "node:fs";
import { eventPorts } from "../../client/event-address.ts";
import { assert } from "../../core/assert.ts";
import { type ControlNetwork, seenByNodes } from "../../network/control-network.ts";
import type { PlannedInterface } from "../../network/topology.ts";
import { type AddressBlock, claimAddressBlock } from "./address-block.ts";
import { countLinkAddresses, type NodeAddresses, planAddresses, readdress } from "./addresses.ts";
import { linkDoorOf, type NodeEntrance, writeEntrances } from "./entrances.ts";
import { describeLost } from "./losses.ts";
import { markedProcesses } from "./marked-processes.ts";
import { type HeldNode, type Namespaces, startNamespaces } from "./namespaces.ts";
import type { NetworkDoors, NetworkPlan, Relinking } from "./network-plan.ts";
import { type ArchivePlan, planArchives } from "./node-archives.ts";
import type { BackendOptions, NodeBackend, NodeMode } from "./node-backend.ts";
import {
  controlSuffix,
  createNodeFiles,
  createRunFiles,
  linkAddresses,
  type NodeDirectories,
  planBootFiles,
  planHosts,
  planNodeDirectories,
  planRunDirectories,
  type RunDirectories,
  removeNodeFiles,
} from "./node-files.ts";
import {
  createNodeGroups,
  describeUnbounded,
  type NodeGroups,
  nodeGroupLimits,
} from "./node-groups.ts";
import { chooseMode, doorVariable } from "./node-mode.ts";
import type { NodePlan } from "./node-plan.ts";
import { homePath, unseenDirectories, VIEW } from "./node-view.ts";
import { NodesError } from "./nodes-error.ts";
import { type OwnNetwork, seenAddresses } from "./own-network.ts";
import { ProcessNode, RunPrograms } from "./process-node.ts";
import { planEnvironment } from "./program-environment.ts";
import { type Reaper, startReaper } from "./reaper.ts";
import { isMountedOver, resolverPath, resolverText } from "./resolver-file.ts";
import { createRunDirectory, removeOwnLeftovers } from "./run-directory.ts";
import {
  chooseShell,
  describeSystemError,
  findProgram,
  type NodeShell,
} from "./system-programs.ts";
import { lookAt, unpackArchives } from "./unpack-archives.ts";
import { type CurrentUser, currentUser, hostPaths, neededPaths, nodePaths } from "./views.ts";

/** Time programs have between SIGTERM and SIGKILL. */
const GRACE_MS = 1000;

/**
 * Brings the nodes up.
 *
 * @throws NodesError with a sentence for the user; nothing is left behind then.
 */
export async function startProcessNodes(options: BackendOptions): Promise<NodeBackend> {
  await removeOwnLeftovers(options.clock);
  const block = await claimAddressBlock(options.seed);
  if (typeof block === "string") throw new NodesError(block);
  let reaper: Reaper | undefined;
  let temporary: string | undefined;
  try {
    const addresses = planAddresses(block.block, options.numbering ?? options.nodes);
    if (typeof addresses === "string") throw new NodesError(addresses);
    temporary = createRunDirectory(options.runId);
    const started = await startReaper(options.runId, temporary, options.clock);
    if (typeof started === "string") throw new NodesError(started);
    reaper = started;
    return await bringUp({ options, block, addresses, temporary, reaper, control: undefined });
  } catch (error) {
    await reaper?.finish();
    if (temporary !== undefined) rmSync(temporary, { recursive: true, force: true });
    await block.release();
    if (error instanceof NodesError) throw error;
    const why = error instanceof Error ? describeSystemError(error) : String(error);
    throw new NodesError(`the nodes cannot be set up: ${why}`, { cause: error });
  }
}

/** For a reaper that somebody killed or stopped. @returns whether everything went. */
async function cleanAgain(options: BackendOptions, temporary: string): Promise<boolean> {
  const reaper = await startReaper(options.runId, temporary, options.clock);
  return typeof reaper !== "string" && (await reaper.finish());
}

interface Parts {
  readonly options: BackendOptions;
  readonly block: AddressBlock;
  readonly addresses: ReadonlyMap<string, NodeAddresses>;
  readonly temporary: string;
  readonly reaper: Reaper;
  /** Of nodes that have a network of their own. */
  readonly control: ControlNetwork | undefined;
}

async function bringUp(parts: Parts): Promise<NodeBackend> {
  const { options, temporary, reaper } = parts;
  const run = planRunDirectories(options.out, temporary);
  createRunFiles(run, options.tools);
  const user = currentUser();
  let seen = parts;
  let drafts: readonly NodeDraft[] = [];
  const writeFiles = (): void => {
    drafts = draftNodes(seen, run, options.nodes);
  };
  const {
    namespaces,
    network,
    lost: notGiven,
  } = await chooseMode({
    ...{ options, temporary, block: parts.block.block, addresses: parts.addresses },
    draft: (plan) => {
      seen = seenParts({ ...parts, control: plan?.control });
      return options.nodes.map(({ name }) => heldNode(name, run, { options, plan }));
    },
    writeFiles,
    hold: (nodes, hasNetwork) => hold(parts, { run, user, nodes, hasNetwork, writeFiles }),
  });
  const mode: NodeMode = namespaces === undefined ? "environment" : "namespace";
  if (mode === "namespace") reaper.leaveToKernel();
  const shell = chooseShell();
  const programs = new RunPrograms(options.clock, reaper);
  const plan = network === undefined ? undefined : (options.network as NetworkPlan);
  const names = options.nodes.map(({ name }) => name);
  const groupLimits = options.groupLimits ?? nodeGroupLimits;
  const groups =
    mode === "namespace" ? createNodeGroups(options.runId, names, groupLimits) : undefined;
  const unbounded = namespaces && describeUnbounded(groups, namespaces.asUser);
  const lost = [...notGiven, ...(unbounded ?? [])];
  const common: BackendParts = {
    ...{ ...parts, run, user, mode, programs, shell, lost, namespaces, network },
    ...{ control: plan?.control, groups },
  };
  const nodes = new Map(
    drafts.map((draft) => [
      draft.name,
      makeNode(common, draft, namespaces?.entrances.get(draft.name)),
    ]),
  );
  const notUnpacked = await unpackAll(common, nodes.values()).catch(async (error: unknown) => {
    await programs.close(GRACE_MS);
    await network?.stop();
    await namespaces?.stop();
    throw error;
  });
  return new ProcessBackend({ ...common, lost: [...lost, ...notUnpacked] }, nodes);
}

/** With the addresses by which nodes see each other. */
function seenParts(parts: Parts): Parts {
  const { control, addresses } = parts;
  if (control === undefined) return parts;
  const seen = [...addresses].map(([name, own]) => [name, seenAddresses(own, control)] as const);
  return { ...parts, addresses: new Map(seen) };
}

function heldNode(
  name: string,
  run: RunDirectories,
  { options, plan }: { readonly options: BackendOptions; readonly plan: NetworkPlan | undefined },
): HeldNode {
  const directories = planNodeDirectories(options.out, run, name);
  const forwards = plan?.topology.nodes.get(name)?.forwards ?? false;
  const network = plan === undefined ? undefined : { forwards };
  const { mounts: archives } = archivesOf(options, name);
  return { name, hostName: hostName(name, options), directories, network, archives };
}

function archivesOf(options: BackendOptions, name: string): ArchivePlan {
  const { archives = [] } = options.nodes.find((node) => node.name === name) ?? {};
  return planArchives(archives, lookAt, nodePaths(options).files);
}

function hold(
  { options, temporary }: Parts,
  how: {
    readonly run: RunDirectories;
    readonly user: CurrentUser;
    readonly nodes: readonly HeldNode[];
    readonly hasNetwork: boolean;
    readonly writeFiles: () => void;
  },
): ReturnType<typeof startNamespaces> {
  const { run, user, nodes, hasNetwork, writeFiles } = how;
  return startNamespaces({
    ...{ runId: options.runId, clock: options.clock, temporary, nodes, hasNetwork, writeFiles },
    ...(options.holders === undefined ? {} : { holders: options.holders }),
    view: {
      ...options,
      run,
      user: user.user,
      home: user.home ?? run.home,
      projectFiles: options.projectFiles,
      needed: neededPaths(options),
      archives: [...new Set(nodes.flatMap(({ archives = [] }) => archives))],
      hasResolver: isMountedOver(resolverPath, unseenDirectories),
    },
  });
}

/** Unpacks what the file wants, where nodes have directories of their own. @throws NodesError */
async function unpackAll(
  { mode, options }: BackendParts,
  nodes: Iterable<ProcessNode>,
): Promise<readonly string[]> {
  const wanted = [...nodes].map((node) => ({ node, ...archivesOf(options, node.name) }));
  if (mode !== "namespace") {
    const names = wanted.filter(({ unpack }) => unpack.length > 0).map(({ node }) => node.name);
    return names.map((name) => `nothing is unpacked on ${name} (tarfiles)`);
  }
  const work = wanted.map(({ node, unpack: archives }) => ({ node, archives }));
  await unpackArchives(work, options.interrupt);
  return wanted.flatMap(({ node, refused }) => refused.map((why) => `${node.name}: ${why}`));
}

/** @param entrance undefined where nodes have no namespaces */
function makeNode(
  parts: BackendParts,
  draft: NodeDraft,
  entrance: readonly string[] | undefined,
): ProcessNode {
  const { mode, programs, shell } = parts;
  return new ProcessNode({
    ...draft,
    environment: environmentOf(parts, draft, serverAddress(parts, draft.addresses)),
    shell,
    programs,
    defaultDirectory: mode === "namespace" ? VIEW.temporary : draft.directories.temporary,
    entrance: entrance ?? [findProgram("sh") ?? "sh"],
    groups: parts.groups,
  });
}

/** Where programs of the node call the servers of the run. */
function serverAddress({ control }: Parts, { calledAt }: NodeAddresses): string {
  return control === undefined ? calledAt : seenByNodes(control, calledAt);
}

/** A node before it is known how it will be told apart from the machine. */
interface NodeDraft {
  readonly name: string;
  readonly addresses: NodeAddresses;
  readonly directories: NodeDirectories;
  readonly nodeAddress: string;
}

/** Writes their files. @throws Error of the file system */
function draftNodes(
  parts: Parts,
  run: RunDirectories,
  plans: readonly NodePlan[],
): readonly NodeDraft[] {
  const onLinks = linkAddresses(parts.options, parts.addresses);
  return plans.map((plan) => draftNode(parts, { run, onLinks }, plan));
}

function draftNode(
  parts: Parts,
  { run, onLinks }: { readonly run: RunDirectories; readonly onLinks: ReadonlyMap<string, string> },
  plan: NodePlan,
): NodeDraft {
  const addresses = parts.addresses.get(plan.name);
  assert(addresses !== undefined, "every node of the plan has addresses");
  const directories = planNodeDirectories(parts.options.out, run, plan.name);
  const server = parts.addresses.get(parts.options.syncServer ?? "");
  // Where nodes share a network, the server tells them apart by what they call.
  const syncAt = parts.control === undefined ? addresses.calledAt : server?.control;
  const how = { addresses: parts.addresses, onLinks, syncAt };
  const { text: hosts, nodeAddress } = planHosts(parts.options, plan, how);
  const resolver = resolverText(parts.control !== undefined);
  const boot = planBootFiles(parts.options, plan.name, serverAddress(parts, addresses));
  createNodeFiles(directories, { hosts, resolver, boot });
  return { name: plan.name, addresses, directories, nodeAddress };
}

/** The control name as far as the kernel's 64 bytes hold it. */
function hostName(node: string, options: BackendOptions): string {
  const full = `${node}.${controlSuffix(options)}`;
  return full.length <= 64 ? full : node.slice(0, 64);
}

function environmentOf(
  { options, run, mode, user, control }: BackendParts,
  draft: NodeDraft,
  server: string,
): Readonly<Record<string, string>> {
  const own = mode === "namespace";
  // 127.0.0.1 is the node itself where it has a network of its own.
  const asSeen = ([name, value]: readonly [string, string]): readonly [string, string] =>
    control !== undefined && name === doorVariable
      ? [name, value.replace("127.0.0.1", server)]
      : [name, value];
  return planEnvironment({
    runId: options.runId,
    pid: options.pid,
    eid: options.eid,
    node: draft.name,
    controlAddress: draft.addresses.control,
    nodeAddress: draft.nodeAddress,
    user: user.user,
    group: user.group,
    home: own ? homePath(user) : (user.home ?? run.home),
    paths: own ? nodePaths(options) : hostPaths(options, run, draft.directories),
    callerPath: process.env["PATH"] ?? "",
    eventServer: `${server}:${eventPorts.experiments}`,
    userEnvironment: options.environment.map(asSeen),
  });
}

interface BackendParts extends Parts {
  readonly groups: NodeGroups | undefined;
  readonly network: OwnNetwork | undefined;
  readonly run: RunDirectories;
  readonly user: CurrentUser;
  readonly mode: NodeMode;
  readonly programs: RunPrograms;
  readonly shell: NodeShell;
  readonly lost: readonly string[];
  readonly namespaces: Namespaces | undefined;
}

/** Where a node is no namespace: what left its group, or was only loaded. */
function endMarked(runId: string, node: string): void {
  for (const pid of markedProcesses(runId, node)) {
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // It ended meanwhile.
    }
  }
}

class ProcessBackend implements NodeBackend {
  readonly mode: NodeMode;
  readonly lost: readonly string[];
  readonly nodes: Map<string, ProcessNode>;
  readonly shell: string;
  readonly doors: NetworkDoors | undefined;
  readonly nodeLinks: NetworkDoors | undefined;
  readonly linkDoor: string;
  readonly failed: Promise<string>;
  #parts: BackendParts;
  /** Link addresses that were given. */
  #linkAddresses: number;
  /** Of all nodes there ever were: a name keeps its addresses for the whole run. */
  readonly #addresses: Map<string, NodeAddresses>;
  readonly #plans: Map<string, NodePlan>;
  #stopped: Promise<void> | undefined;

  constructor(parts: BackendParts, nodes: Map<string, ProcessNode>) {
    this.mode = parts.mode;
    this.lost = parts.lost;
    this.doors = parts.network;
    this.nodeLinks = parts.network;
    this.linkDoor = linkDoorOf(parts.temporary);
    this.nodes = nodes;
    this.shell = parts.shell.text;
    this.#parts = parts;
    this.#addresses = new Map(parts.addresses);
    this.#linkAddresses = countLinkAddresses(parts.addresses.values());
    this.#plans = new Map(parts.options.nodes.map((plan) => [plan.name, plan]));
    this.#tellEntrances();
    this.failed = new Promise((resolve) => this.#watch(resolve));
  }

  /** @param tell told when nodes are lost, also where nothing runs whose end would show it */
  #watch(tell: (why: string) => void): void {
    const { namespaces } = this.#parts;
    const look = (): void => {
      const why = this.lostNodes();
      if (why !== undefined) tell(why);
    };
    namespaces?.onGone(look);
    void namespaces?.ended.then(() => {
      if (this.#stopped === undefined) tell(describeLost([...this.nodes.keys()]));
    });
    // One may have ended before there was anybody to hear of it.
    look();
  }

  lostNodes(): string | undefined {
    const { namespaces } = this.#parts;
    if (namespaces === undefined || this.#stopped !== undefined) return undefined;
    // One that is taken away, or starts anew, is none of the run meanwhile.
    const gone = new Set(namespaces.gone());
    const lost = [...this.nodes.keys()].filter((name) => gone.has(name));
    return lost.length === 0 ? undefined : describeLost(lost);
  }

  async add(plans: readonly NodePlan[]): Promise<void> {
    const added: string[] = [];
    try {
      this.#giveAddresses(plans.filter(({ name }) => !this.#addresses.has(name)));
      for (const plan of plans) this.#plans.set(plan.name, plan);
      for (const plan of plans) {
        added.push(plan.name);
        this.nodes.set(plan.name, await this.#bringUp(plan));
      }
      this.#tellEntrances();
    } catch (error) {
      await this.remove(added);
      for (const { name } of plans) this.#plans.delete(name);
      if (error instanceof NodesError) throw error;
      const why = error instanceof Error ? describeSystemError(error) : String(error);
      throw new NodesError(`the nodes cannot be set up: ${why}`, { cause: error });
    }
  }

  async remove(
    names: readonly string[],
    files: "remove-files" | "keep-files" = "remove-files",
  ): Promise<void> {
    const { namespaces, network, options, run } = this.#parts;
    for (const name of names) {
      this.nodes.delete(name);
      this.#plans.delete(name);
      const isBack = files === "keep-files" || this.#hasLinks(name);
      if (namespaces === undefined) endMarked(options.runId, name);
      else await namespaces.remove(name, isBack && network !== undefined ? "keep" : "end");
      if (!isBack) network?.removed(name);
      if (files === "keep-files") continue;
      removeNodeFiles(planNodeDirectories(options.out, run, name));
    }
    this.#tellEntrances();
  }

  get relinkRefusal(): ((to: Relinking) => string | undefined) | undefined {
    const { network } = this.#parts;
    return network && ((to) => network.relinkRefusal(to));
  }

  async relink(to: Relinking, plans: readonly NodePlan[]): Promise<void> {
    const { network, options, control } = this.#parts;
    if (network === undefined) throw new NodesError("nodes have no network of their own");
    const topology = await network.relink(to, this.#addresses);
    const plan = { ...(options.network as NetworkPlan), ...to.network, topology };
    this.#parts = { ...this.#parts, options: { ...options, network: plan, links: to.links } };
    for (const one of plans) {
      this.#plans.set(one.name, one);
      this.#readdress(one);
      const node = this.nodes.get(one.name);
      const own = this.#addresses.get(one.name);
      if (node === undefined || own === undefined) continue;
      node.addresses = (control === undefined ? own : seenAddresses(own, control)).all;
    }
    this.#tellEntrances();
  }

  #readdress(plan: NodePlan): void {
    const before = this.#addresses.get(plan.name);
    if (before === undefined) return;
    const { block } = this.#parts.block;
    const after = readdress(block, before, plan, this.#linkAddresses);
    if (typeof after === "string") throw new NodesError(after);
    this.#linkAddresses += plan.links.length;
    this.#addresses.set(plan.name, after);
  }

  /** Its network stays when it goes: the ends of its links are there, and it is to come back. */
  #hasLinks(name: string): boolean {
    return this.#interfaces(name).length > 0;
  }

  #interfaces(name: string): readonly PlannedInterface[] {
    const { network, options } = this.#parts;
    if (network === undefined) return [];
    const { topology } = options.network as NetworkPlan;
    return topology.nodes.get(name)?.interfaces ?? [];
  }

  /** For `muster exec`. */
  #tellEntrances(): void {
    const { namespaces, network, options, temporary, groups } = this.#parts;
    const { runId, pid, eid, out } = options;
    const experiment = `${pid}/${eid}`;
    if (options.standIn !== undefined) {
      const elsewhere = [...this.nodes.keys()];
      writeEntrances(temporary, { runId, experiment, out, nodes: [], elsewhere });
      return;
    }
    const holders = namespaces?.holders;
    const asUser = namespaces?.asUser ?? false;
    const nodes = [...this.nodes.values()].map(({ name, surroundings }): NodeEntrance => {
      const holder = holders?.get(name) ?? null;
      const own = { holder, asUser, hasNetwork: network !== undefined };
      const interfaces = this.#interfaces(name).map((one) => ({ link: one.link, name: one.name }));
      return { ...surroundings, ...own, interfaces, groups: groups?.of(name) ?? [] };
    });
    writeEntrances(temporary, { runId, experiment, out, nodes });
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  /** @throws NodesError when there are not enough; none is given then. */
  #giveAddresses(plans: readonly NodePlan[]): void {
    const before = { nodes: this.#addresses.size, links: this.#linkAddresses };
    const given = planAddresses(this.#parts.block.block, plans, before);
    if (typeof given === "string") throw new NodesError(given);
    this.#linkAddresses += countLinkAddresses(given.values());
    for (const [name, addresses] of given) this.#addresses.set(name, addresses);
  }

  async #bringUp(plan: NodePlan): Promise<ProcessNode> {
    const { run, namespaces } = this.#parts;
    const options = { ...this.#parts.options, nodes: [...this.#plans.values()] };
    const parts = { ...this.#parts, options, addresses: this.#addresses };
    const [draft] = draftNodes(seenParts(parts), run, [plan]);
    assert(draft !== undefined, "each plan gives a draft");
    const { name } = draft;
    const network = this.#parts.network === undefined ? undefined : options.network;
    const held = heldNode(name, run, { options, plan: network as NetworkPlan | undefined });
    this.#checkArchives(held);
    const entrance = await namespaces?.add(held);
    if (typeof entrance === "string") throw new NodesError(`the node ${name}: ${entrance}`);
    await this.#parts.network?.add(name, this.#addresses);
    const node = makeNode(parts, draft, entrance);
    for (const text of await unpackAll(parts, [node])) options.onMessage("warning", name, text);
    return node;
  }

  /** The root that nodes share is made when the run begins. @throws NodesError */
  #checkArchives({ name, archives = [] }: HeldNode): void {
    const { options } = this.#parts;
    const there = new Set(options.nodes.flatMap((node) => archivesOf(options, node.name).mounts));
    const missing = archives.find((path) => !there.has(path));
    if (missing === undefined) return;
    throw new NodesError(
      `the node ${name}: there was no node with tarfiles for ${missing} when the run began; ` +
        "a node that comes later can have them where others had them, or below /tmp",
    );
  }

  async #stop(): Promise<void> {
    const { programs, reaper, block, options, namespaces, network, temporary } = this.#parts;
    const { groups } = this.#parts;
    await programs.close(GRACE_MS);
    await network?.stop();
    // The kernel ends the nodes while their groups are read and the reaper cleans up: as in a
    // crash.
    const ended = namespaces?.stop();
    for (const text of groups?.describeMet() ?? []) options.onMessage("warning", null, text);
    const [isClean] = await Promise.all([reaper.finish(), ended]);
    if (!isClean && !(await cleanAgain(options, temporary))) {
      options.onMessage("warning", null, `not all of the run could be ended; see ${temporary}`);
    }
    await block.release();
  }
}
