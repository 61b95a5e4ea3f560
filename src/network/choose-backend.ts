// SPDX-License-Identifier: MIT
// Which back end this machine's links get, and why: tried in a network namespace that is made for
// it and gone afterwards, so that nothing of the machine is touched. Links are never left unshaped
// because nothing else works: `none` is for who asks for it.
import { execFile } from "node:child_process";
import { NetworkError } from "./link-backend.ts";
import { searchPath } from "./namespace-commands.ts";
import { networkTime } from "./network-time.ts";
import { describeFailure, isPassingFailure } from "./passing-failure.ts";

export type BackendKind = "netem" | "delay-node" | "none";

export interface BackendProbe {
  readonly kind: "netem" | "delay-node";
  /** Why it does not work here, in the words of the program that failed; undefined: it works. */
  readonly problem: string | undefined;
}

export interface BackendChoice {
  readonly kind: BackendKind;
  /** A sentence to show: why this one. */
  readonly why: string;
}

const netemScript = `
ip link add t0 type veth peer name t1
tc qdisc replace dev t0 root handle 1: netem delay 1ms loss random 1%
tc qdisc replace dev t0 parent 1:1 handle 2: tbf rate 1mbit burst 3028 limit 9000
tc qdisc replace dev t0 parent 2:1 handle 3: pfifo limit 50
ethtool -K t0 tso off gso off gro off`;

const delayNodeScript = `
ip link add t0 type veth peer name t1
ip link add t2 type vxlan id 1 local 127.0.0.1 remote 127.0.0.1 dstport 4789 nolearning
ethtool -K t0 tx off tso off gso off`;

/**
 * @param enter what makes a network namespace that goes with its program: `unshare --net` as root,
 *   with a user namespace for others.
 * @throws NetworkError when what was tried has failed in a way that says nothing of this machine
 */
export async function probeBackends(
  enter: readonly string[] = defaultEnter(),
  interrupt?: AbortSignal,
): Promise<readonly BackendProbe[]> {
  const [netem, delayNode] = await Promise.all([
    tryScript(enter, netemScript, interrupt),
    tryScript(enter, delayNodeScript, interrupt),
  ]);
  return [
    { kind: "netem", problem: netem },
    { kind: "delay-node", problem: delayNode },
  ];
}

/** Pure. @returns a sentence why not, when what is asked for does not work here. */
export function chooseBackend(
  probes: readonly BackendProbe[],
  asked: BackendKind | undefined,
): BackendChoice | { readonly problem: string } {
  if (asked === "none") return { kind: "none", why: "links are not shaped, as asked" };
  const failures = probes.filter(({ problem }) => problem !== undefined);
  const describe = ({ kind, problem }: BackendProbe): string => `${kind}: ${problem}`;
  if (asked !== undefined) {
    const [failure] = failures.filter(({ kind }) => kind === asked);
    return failure === undefined
      ? { kind: asked, why: "as asked" }
      : {
          problem: `${describe(failure)}; leave --links out, which takes what works here; muster doctor says what that is`,
        };
  }
  const best = probes.find(({ problem }) => problem === undefined);
  if (best === undefined) {
    return {
      problem: `links cannot be shaped here (${failures.map(describe).join("; ")}); --links none runs without`,
    };
  }
  if (failures.length === 0) return { kind: best.kind, why: "the kernel has it" };
  return { kind: best.kind, why: `not ${failures.map(describe).join("; ")}` };
}

function defaultEnter(): readonly string[] {
  const asUser = process.getuid?.() === 0 ? [] : ["--map-root-user"];
  return ["unshare", ...asUser, "--net", "--"];
}

/** @returns the last line of what it said, when it failed. */
function tryScript(
  enter: readonly string[],
  script: string,
  interrupt: AbortSignal | undefined,
): Promise<string | undefined> {
  const [program = "", ...words] = [...enter, "sh", "-ec", script];
  return new Promise((resolve, reject) => {
    // As links are made: what is found here is found then.
    const env = { PATH: searchPath, LC_ALL: "C" };
    const ends = { signal: interrupt, timeout: networkTime.commandMs };
    execFile(program, words, { env, ...ends, killSignal: "SIGKILL" }, (error, _stdout, stderr) => {
      if (error === null) {
        resolve(undefined);
        return;
      }
      const isEnded = interrupt?.aborted === true || error.killed === true;
      const said = stderr.trim().split("\n").at(-1) || error.message;
      const status = typeof error.code === "number" ? error.code : null;
      const failed = { status, signal: error.signal ?? null, said };
      if (!isEnded && !isPassingFailure(failed)) resolve(said);
      else {
        const why = isEnded ? "a program has not ended in time" : describeFailure(failed);
        const what = `who shapes links cannot be found out: ${why}`;
        reject(new NetworkError(what, { isPassing: true }));
      }
    });
  });
}
