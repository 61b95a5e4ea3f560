// SPDX-License-Identifier: MIT
// Goal: nodes are on other machines by ssh as people have it, and what keeps ssh from working is
// said in its words; links go between those machines, with the path's own delay taken off, and one
// whose path is another one than was measured is found bad. Method: machines are network
// namespaces with Debian's sshd; the real ssh is the client; the linktest of the run is the judge.
import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { systemClock } from "../../src/host/clock.ts";
import { DelayNodeBackend } from "../../src/network/delay-node/delay-node-backend.ts";
import { unshaped } from "../../src/network/model.ts";
import { makeKey, type SshMachines, startSshMachines } from "./network-support/ssh-machines.ts";
import { ended, runBody, sh, startRun } from "./support/experiment.ts";

const isRoot = process.getuid?.() === 0;
const stops: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
});

async function machines(...names: string[]): Promise<SshMachines> {
  const started = await startSshMachines(names);
  stops.push(started.stop);
  return started;
}

const twoNodes = `
set n0 [$ns node]
set n1 [$ns node]
tb-fix-node $n0 a
tb-fix-node $n1 b`;

describe.skipIf(!isRoot)("over ssh", () => {
  test("programs of two machines meet, and nothing is left there", async () => {
    const { argv, onBoss, temporaryOf } = await machines("a", "b");
    const body = `${twoNodes}
set p [$n0 program-agent -command {${sh("emulab-sync -i 1 -n met; echo $SSH_CONNECTION")}}]
set q [$n1 program-agent -command {${sh("emulab-sync -n met; tmcc nodeid")}}]
$ns at 0 "$p start"
$ns at 0 "$q start"`;
    const run = await runBody(body, ["--on", "a,b", ...argv], onBoss);
    expect([run.result.outcome, run.result.reasons]).toEqual(["passed", []]);
    expect(run.text("nodes/n1/local/logs/q.out")).toBe("n1\n");
    expect(["a", "b"].map((name) => readdirSync(temporaryOf(name)))).toEqual([[], []]);
  });

  test("a wrong key, an unknown machine and one that is away are said as ssh says them", async () => {
    const { argv, onBoss, at } = await machines("a");
    const why = async (on: string): Promise<string> => {
      const run = await runBody("set n0 [$ns node]", ["--on", on, ...argv], onBoss);
      expect(run.code).toBe(1);
      return run.result.error?.message ?? "";
    };
    // The config knows no machine of this name: nobody is at that address.
    expect(await why("10.7.0.99")).toMatch(/^this host cannot be used: 10\.7\.0\.99 \(.*No route/);
    writeFileSync(join(at, "known_hosts"), "");
    expect(await why("a")).toMatch(/^this host cannot be used: a \(.*Host key verification failed/);
    writeFileSync(
      join(at, "config"),
      `Host *
  HostName 10.7.0.2
  Port 2222
  BatchMode yes
  IdentitiesOnly yes
  IdentityFile ${join(at, "other")}
  StrictHostKeyChecking no
  UserKnownHostsFile /dev/null
`,
    );
    makeKey(join(at, "other"));
    expect(await why("a")).toMatch(
      /^this host cannot be used: a \(.*Permission denied \(publickey\)/,
    );
  });
});

const pathDelayUs = 5_000;

/** A way between two machines beside the Ethernet, with a delay of its own. */
async function joinByPath({ namespaces }: SshMachines) {
  const { commands } = namespaces;
  const path = namespaces.link("path", "link", ["a", "b"]);
  const backend = new DelayNodeBackend({ commands, clock: systemClock, seed: 1 });
  const shape = { ...unshaped, delayUs: pathDelayUs };
  const members = ["a", "b"].map((node) => ({ node, up: shape }));
  stops.push(() => backend.stop());
  await backend.attach([path], new Map([["path", { name: "path", kind: "link", members }]]));
  await namespaces.configure(path, 8);
  return {
    argv: ["--host-address", "a=10.8.0.1", "--host-address", "b=10.8.0.2"],
    change: (delayUs: number) =>
      backend.set([{ link: "path", what: { kind: "modify", shape: { delayUs } } }]),
  };
}

const netns = ["--nodes", "netns", "--on", "a,b"];
const linked = (link: string): string => `${twoNodes}
tb-set-sync-server $n0
set l0 [$ns duplex-link $n0 $n1 ${link} DropTail]`;

describe.skipIf(!isRoot)("links between machines of ssh", () => {
  test("are as asked for with the path's own delay, and found bad when that has changed", async () => {
    const all = await machines("a", "b");
    const path = await joinByPath(all);
    const changed = join(all.at, "changed");
    const body = `${linked("10Mb 20ms")}
set p [$n0 program-agent -command {${sh(`until [ -e ${changed} ]; do sleep 0.2; done`)}}]
set steps [$ns event-sequence {
  $p run
  $ns linktest -stopat 1
}]
$ns at 0 "$steps run"`;
    const argv = [...netns, ...all.argv, ...path.argv, "--linktest", "1"];
    const started = startRun(body, argv, all.onBoss);
    await started.command.prints(/program p on n0 started/);
    const { stdout } = started.command;
    const told = /paths between hosts: a to b ([\d.]+) ms/.exec(stdout);
    expect(Number(told?.[1])).toBeGreaterThanOrEqual(pathDelayUs / 1_000);
    // Losses are not asked about: this path loses packets where the machine is busy.
    expect(stdout).toMatch(/linktest level 1: \d ok, 0 bad/);
    await path.change(pathDelayUs + 15_000);
    writeFileSync(changed, "");
    const run = await ended(started);
    const { result } = run;
    expect(result.backend).toMatchObject({ nodes: "remote", links: "delay-node" });
    expect(result.reasons.map(({ code }) => code)).toEqual(["LINK", "LINK"]);
    expect(result.links.map(({ from, to, verdict }) => [from, to, verdict])).toEqual([
      ["n0", "n1", "bad"],
      ["n1", "n0", "bad"],
    ]);
    expect(result.links[0]?.measured?.delayUs).toBeGreaterThan(34_000);
    expect(["a", "b"].map((name) => readdirSync(all.temporaryOf(name)))).toEqual([[], []]);
  });

  test("that are shorter than the path are refused with both figures", async () => {
    const all = await machines("a", "b");
    const path = await joinByPath(all);
    const argv = [...netns, ...all.argv, ...path.argv];
    const short = await runBody(linked("1Mb 3ms"), argv, all.onBoss);
    expect(short.result.error?.message).toMatch(
      /^link l0 is to take 3 ms from n0 to n1, and the path from a to b takes [\d.]+ ms by itself; /,
    );
    expect(["a", "b"].map((name) => readdirSync(all.temporaryOf(name)))).toEqual([[], []]);
  });
});
