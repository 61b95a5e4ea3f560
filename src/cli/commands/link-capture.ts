// SPDX-License-Identifier: MIT
// `muster link capture ID LINK`: packets of one end of a link, as the node there has them, to a
// pcap file. Who shapes the link sees them and writes them. Where nobody does, tcpdump of this
// machine takes them, in the network of the node; what it writes comes through here, so that the
// file has a bound and ends with a whole packet. Works for every run of this user, as `muster exec`
// does.
import { type ChildProcess, spawn } from "node:child_process";
import { resolve } from "node:path";
import { systemClock } from "../../host/clock.ts";
import { describeUnknownLink } from "../../network/link-table.ts";
import { networkLimits } from "../../network/network-limits.ts";
import {
  findEntrances,
  isRunNamed,
  type LivingRun,
  type NodeEntrance,
} from "../../testbed/nodes/index.ts";
import { exitCodes } from "../exit-codes.ts";
import { CommandError, type CommandIo } from "../io.ts";
import { noSuchRun, severalRuns } from "../living-runs.ts";
import { plural } from "../output.ts";
import { CaptureFile } from "./capture-file.ts";
import { askLinkDoor } from "./link-door-client.ts";

export interface LinkCaptureArguments {
  readonly id: string;
  readonly link: string;
  /** Left out: the first member. */
  readonly node?: string;
  readonly out?: string;
  /** 0: no bound but the others. */
  readonly count: number;
  readonly seconds: number;
  readonly json: boolean;
}

interface Captured {
  readonly packets: number;
  readonly bytes: number;
  /** For the disk, or tcpdump, having been too slow; null when it did not say. */
  readonly dropped: number | null;
  readonly isFull: boolean;
  readonly problem?: string;
}

/** @returns the exit status. @throws CommandError */
export async function linkCaptureCommand(
  argv: LinkCaptureArguments,
  io: CommandIo,
): Promise<number> {
  const { run, node, interfaceName } = chooseEnd(findEntrances(), argv);
  const out = argv.out ?? `${argv.link.replaceAll(/[^\w.-]/g, "_")}-${node.name}.pcap`;
  const onBegun = (): void => {
    io.stderr(`muster: taking packets of ${argv.link} at ${node.name}; Ctrl-C ends it\n`);
  };
  const how = { node, interfaceName, out, argv, onBegun };
  const captured = (await captureByRun(run, how)) ?? (await capture(how));
  const { packets, bytes, dropped, isFull, problem } = captured;
  if (argv.json) {
    const facts = { link: argv.link, node: node.name, interface: interfaceName, file: out };
    io.stdout(`${JSON.stringify({ ...facts, ...captured }, null, 2)}\n`);
    return problem === undefined ? exitCodes.ok : exitCodes.failed;
  }
  const isKnown = problem === undefined && dropped !== null && dropped > 0;
  const lost = !isKnown ? "" : `; ${dropped} more were not taken in time`;
  const full = isFull
    ? `; it ended there: the file may have ${networkLimits.captureBytesMax} bytes (captureBytesMax)`
    : "";
  io.stdout(
    `${plural(packets, "packet")} of ${argv.link} at ${node.name} (${interfaceName}) ` +
      `in ${out}, ${bytes} bytes${lost}${full}\n`,
  );
  if (problem !== undefined) {
    throw new CommandError(exitCodes.failed, `${out} ends early: ${problem}`);
  }
  return exitCodes.ok;
}

interface End {
  readonly run: LivingRun;
  readonly node: NodeEntrance;
  readonly interfaceName: string;
}

/** @throws CommandError that says what there is. */
export function chooseEnd(
  runs: readonly LivingRun[],
  { id, link, node: wanted }: Pick<LinkCaptureArguments, "id" | "link" | "node">,
): End {
  const found = runs.filter((one) => isRunNamed(one, id));
  const [run] = found;
  if (run === undefined) throw noSuchRun(id, runs);
  if (found.length > 1) throw severalRuns(`${id} is several runs that are under way`, found);
  const ends = run.nodes.flatMap((node) =>
    (node.interfaces ?? []).flatMap((one) =>
      one.link === link ? [{ run, node, interfaceName: one.name }] : [],
    ),
  );
  const end = wanted === undefined ? ends[0] : ends.find(({ node }) => node.name === wanted);
  if (end !== undefined) return end;
  if (run.elsewhere !== undefined) {
    const there = "so that packets of its links are not here to capture";
    const text = `the nodes of ${run.experiment} are on other machines, ${there}`;
    throw new CommandError(exitCodes.failed, text);
  }
  const links = new Set(run.nodes.flatMap((one) => (one.interfaces ?? []).map((it) => it.link)));
  const why =
    ends.length > 0
      ? `${wanted} is not on ${link}; members: ${ends.map(({ node }) => node.name).join(", ")}`
      : `networks of the nodes of ${run.experiment}: ${describeUnknownLink(link, [...links])}`;
  throw new CommandError(exitCodes.failed, why);
}

interface Capture extends Omit<End, "run"> {
  readonly out: string;
  readonly argv: LinkCaptureArguments;
  readonly onBegun: () => void;
}

/** @returns undefined when who shapes its links does not see packets. @throws CommandError */
async function captureByRun(
  { linkDoor }: LivingRun,
  { node, out, argv, onBegun }: Capture,
): Promise<Captured | undefined> {
  const { link, count, seconds } = argv;
  const path = resolve(out);
  const asked = askLinkDoor(linkDoor, { kind: "capture", link, node: node.name, path, count });
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, asked.stop);
  let cancel: () => void = () => undefined;
  try {
    const first = await asked.next();
    if (first === undefined || first.kind === "no-tracer") return undefined;
    if (first.kind === "refused") {
      throw new CommandError(exitCodes.cannotCreate, `cannot write ${out}: ${first.why}`);
    }
    onBegun();
    if (seconds > 0) cancel = systemClock.after(seconds * 1_000, asked.stop);
    const last = await asked.next();
    if (last?.kind === "captured") return last.counts;
    throw new CommandError(
      exitCodes.failed,
      `the run ended; ${out} has what was written until then`,
    );
  } finally {
    cancel();
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.off(signal, asked.stop);
    asked.close();
  }
}

/** @throws CommandError */
async function capture({ node, interfaceName, out, argv, onBegun }: Capture): Promise<Captured> {
  const file = new CaptureFile(out);
  const { count, seconds } = argv;
  const child = startTcpdump(node, [
    // At once: what the kernel holds back is lost at the end.
    ...["-i", interfaceName, "--immediate-mode", "-U", "-w", "-"],
    ...(count === 0 ? [] : ["-c", `${count}`]),
  ]);
  const stop = (): void => void child.kill("SIGINT");
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, stop);
  let said = "";
  let hasBegun = false;
  let cancel: () => void = () => undefined;
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    said = (said + text).slice(-2_000);
    if (hasBegun || !/listening on/.test(said)) return;
    hasBegun = true;
    onBegun();
    // Time counts from when packets are taken.
    if (seconds > 0) cancel = systemClock.after(seconds * 1_000, stop);
  });
  child.stdout?.on("data", (chunk: Buffer) => {
    if (!file.take(chunk)) stop();
  });
  try {
    const why = await endOf(child);
    if (why !== undefined || !hasBegun) {
      file.remove();
      throw notCaptured(node, why ?? said);
    }
  } finally {
    cancel();
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.off(signal, stop);
    file.close();
  }
  const dropped = /^(\d+) packets? dropped by kernel/m.exec(said)?.[1];
  return { ...file.kept, dropped: dropped === undefined ? null : Number(dropped) };
}

function startTcpdump({ holder, asUser }: NodeEntrance, words: readonly string[]): ChildProcess {
  const path = `${process.env["PATH"] ?? ""}:/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin`;
  const user = asUser ? ["--user", "--preserve-credentials"] : [];
  const argv = [`--target=${holder}`, ...user, "--net", "--", "tcpdump", "-Z", "root", ...words];
  // A session of its own: Ctrl-C comes once, from here.
  return spawn("nsenter", argv, {
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, PATH: path, LC_ALL: "C" },
  });
}

/** @returns why it did not start. */
function endOf(child: ChildProcess): Promise<string | undefined> {
  return new Promise((resolve) => {
    child.once("error", ({ message }) => resolve(message));
    child.once("close", () => resolve(undefined));
  });
}

function notCaptured({ name }: NodeEntrance, said: string): CommandError {
  const why = explain(said);
  return new CommandError(exitCodes.notEntered, `nothing was captured at ${name}: ${why}`);
}

function explain(said: string): string {
  if (/failed to execute tcpdump|ENOENT/.test(said)) {
    return "tcpdump is not installed; as root: apt-get install tcpdump";
  }
  // It sets its groups, which a user who is root in a name space of theirs only may not.
  if (/Couldn't change to/.test(said)) {
    return "tcpdump does not start in nodes of an ordinary user; run the experiment as root for it";
  }
  return said.trim().split("\n").at(-1) || "tcpdump ended and did not say why";
}
