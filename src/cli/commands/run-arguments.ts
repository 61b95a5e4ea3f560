// SPDX-License-Identifier: MIT
// What `muster run` was asked to do.
import { dirname, resolve } from "node:path";
import type { Level } from "../../linktest/index.ts";
import { shellQuote } from "../../testbed/record/words.ts";
import type { SeriesRun } from "./series.ts";

/** Default of `--stuck-after`, in seconds. */
export const stuckAfterDefault = 15;

export interface RunArguments {
  readonly file: string;
  readonly out?: string;
  readonly seed?: number;
  readonly duration: number;
  readonly stuckAfter: number;
  readonly repeat: number;
  readonly set: readonly string[];
  readonly junit?: string;
  readonly json?: boolean;
  /** Left out: what the file needs and the machine can. */
  readonly nodes?: "process" | "netns";
  /** Last stage of a linktest before time 0, 0 for none; left out: what the file says. */
  readonly linktest?: 0 | Level;
  /** Nodes and links of the file, and nothing that would run on them. */
  readonly linksOnly?: boolean;
  readonly links?: "netem" | "delay-node" | "none";
  /** Of the delay node; left out: as many as the links need. */
  readonly linkThreads?: number;
  /** Hosts with commas between, each `[USER@]HOST[:N][=TYPE+TYPE]`; left out: this machine. */
  readonly on?: readonly string[];
  /** Words with `%h`, `%u`, `%p`. */
  /** `HOST=IPV4` each. */
  readonly hostAddress?: readonly string[];
  readonly remoteShell?: string;
  /** A command of the hosts. */
  readonly remoteMuster?: string;
  readonly limit: readonly string[];
  readonly pid?: string;
  readonly eid?: string;
  /** JSON file that says what the site has. */
  readonly catalogue?: string;
  /** Order in which links get addresses. */
  readonly addresses?: "legacy" | "stable";
  /** Directory of the certificates with which the configuration server speaks TLS. */
  readonly tls?: string;
  /** Clients of that server may speak TLS 1.0. */
  readonly tlsLegacy?: boolean;
  /** The scheduler is a process of its own. */
  readonly split?: boolean;
  /** Whom that process runs as. */
  readonly schedulerUser?: string;
}

/** Directory of the experiment file: what nodes see as the project's data. */
export function projectFilesOf(file: string): string {
  return dirname(resolve(file));
}

/**
 * The command line that repeats one run: all that decides what happens, with the seed and the
 * settings of this run of a series. Where results go is left out: they are never overwritten.
 */
export function repeatCommandLine(
  argv: RunArguments,
  run: Pick<SeriesRun, "seed" | "set">,
  environment: Readonly<Record<string, string | undefined>>,
): string {
  const { MUSTER_NODES: nodes = "" } = environment;
  const words = ["muster", "run", argv.file, "--seed", String(run.seed)];
  if (argv.duration !== 0) words.push("--duration", String(argv.duration));
  if (argv.stuckAfter !== stuckAfterDefault) words.push("--stuck-after", String(argv.stuckAfter));
  for (const setting of run.set) words.push("--set", setting);
  for (const limit of argv.limit) words.push("--limit", limit);
  if (argv.nodes !== undefined) words.push("--nodes", argv.nodes);
  if (argv.linktest !== undefined) words.push("--linktest", String(argv.linktest));
  if (argv.links !== undefined) words.push("--links", argv.links);
  if (argv.linkThreads !== undefined) words.push("--link-threads", String(argv.linkThreads));
  for (const hosts of argv.on ?? []) words.push("--on", hosts);
  for (const address of argv.hostAddress ?? []) words.push("--host-address", address);
  if (argv.remoteShell !== undefined) words.push("--remote-shell", argv.remoteShell);
  if (argv.remoteMuster !== undefined) words.push("--remote-muster", argv.remoteMuster);
  if (argv.pid !== undefined) words.push("--pid", argv.pid);
  if (argv.eid !== undefined) words.push("--eid", argv.eid);
  if (argv.tls !== undefined) words.push("--tls", argv.tls);
  if (argv.tlsLegacy === true) words.push("--tls-legacy");
  if (argv.split === true) words.push("--split");
  if (argv.schedulerUser !== undefined) words.push("--scheduler-user", argv.schedulerUser);
  const prefix = nodes === "" ? "" : `MUSTER_NODES=${shellQuote(nodes)} `;
  return prefix + words.map(shellQuote).join(" ");
}
