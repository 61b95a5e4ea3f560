// SPDX-License-Identifier: MIT
// Goal: what nodes tell tmcd gets through boss's bus into the database, and to who waits for it:
// waitForState, XML-RPC over HTTPS and over a remote command. Method: the commands of bin/, real
// nodes that report by tmcc, certificates made by openssl, calls from Python.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { userInfo } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { ExperimentDetails } from "../../src/boss/experiment-views.ts";
import { Caller } from "../conformance/xmlrpc/caller.ts";
import { Certificates } from "../conformance/xmlrpc/certificates.ts";
import { type Command, type Ended, run, scratch, start, until } from "./support/command.ts";
import { nodesWith, readRecord, readResult, sh } from "./support/experiment.ts";

let state = "";
beforeEach(() => {
  state = join(scratch(), "state");
});
afterEach(async () => {
  if (existsSync(join(state, "muster.sock"))) await muster("serve", "--stop");
});

const environment = () => ({ env: { MUSTER_STATE: state } });
const muster = (...argv: readonly string[]): Promise<Ended> => run("muster", argv, environment());
const waitForState = (...argv: readonly string[]): Promise<Ended> =>
  run("wait-for-state", argv, environment());

/** Node 0 stays up; node 1 says that it goes down, and lives on. */
function experimentFile(): string {
  const file = join(scratch(), "two.ns");
  const body = nodesWith(sh("sleep 600"), sh("tmcc state SHUTDOWN; sleep 600"));
  writeFileSync(file, `set ns [new Simulator]\nsource tb_compat.tcl\n${body}\n$ns run\n`);
  return file;
}

const [zero, one] = ["n0.two.muster", "n1.two.muster"] as const;

/** What is done to experiments is said. */
const isUnexpected = (line: string): boolean => !/^(?:muster: audit: .*)?$/.test(line);

const two = { proj: "muster", exp: "two" } as const;

/** A daemon, and Python as its caller. */
async function serveXmlRpc(): Promise<{ readonly serve: Command; readonly caller: Caller }> {
  const folder = scratch();
  const certificates = new Certificates(folder);
  const [server, user] = [
    certificates.issue("server", "localhost"),
    certificates.issue("user", userInfo().username),
  ];
  const serve = start(
    "muster",
    [
      ...["serve", "--listen", "xmlrpc=127.0.0.1:0", "--tls-cert", server.certificate],
      ...["--tls-key", server.key, "--tls-ca", certificates.authority],
    ],
    environment(),
  );
  const [, port] = await serve.prints(/XML-RPC at https:\/\/127.0.0.1:(\d+)\/\n/);
  const { certificate, key } = user;
  const url = `https://localhost:${port}/`;
  return { serve, caller: new Caller("https", url, certificate, key, certificates.authority) };
}

describe("states of nodes", () => {
  test("go from tmcc to waitForState", async () => {
    expect((await muster("up", experimentFile())).code).toBe(0);
    expect(await waitForState("-t", "60", zero)).toMatchObject({
      ...{ code: 0, stdout: `${zero}: ISUP\n`, stderr: "" },
    });
    expect(await waitForState("-s", "SHUTDOWN,TBFAILED", "-t", "60", one)).toMatchObject({
      ...{ code: 0, stdout: `${one}: SHUTDOWN\n` },
    });
    const late = await waitForState("-s", "ISUP", "-t", "3", "-u", "0.1", zero, one);
    expect(late).toMatchObject({ code: 1, stdout: "" });
    const lines = late.stderr.trimEnd().split("\n");
    expect(lines.length).toBeGreaterThan(1);
    expect(new Set(lines)).toEqual(
      new Set([`waitForState: ISUP: not in time: ${one} is SHUTDOWN`]),
    );
    expect(await waitForState("pc42")).toMatchObject({
      ...{ code: 2, stderr: expect.stringContaining('there is no node "pc42"') },
    });
  });

  test("go to a caller over HTTPS, with the addresses of the nodes", async () => {
    const { serve, caller } = await serveXmlRpc();
    expect((await muster("up", experimentFile())).code).toBe(0);
    const wait = { ...two, node: ["n0"], state: "ISUP", timeout: 60 };
    const { value: agents } = await caller.boss("experiment.event_agentlist", two);
    expect(agents).toContainEqual([
      ...["n0", "n0", zero, expect.stringMatching(/^127\.\d+\.\d+\.\d+$/), "NODE"],
    ]);
    expect(await caller.boss("node.statewait", wait)).toMatchObject({
      ...{ code: 0, value: { [zero]: "ISUP" } },
    });
    const waiting = caller.boss("experiment.statewait", { ...two, state: "swapped", timeout: 60 });
    expect((await muster("down", "two")).code).toBe(0);
    expect(await waiting).toMatchObject({ code: 0, value: "swapped" });
    expect(await caller.boss("node.statewait", wait)).toMatchObject({ code: 2 });
    caller.close();
    const lines = serve.stderr.trimEnd().split("\n");
    expect(lines.map((line) => /^muster: audit: \w+/.exec(line)?.[0])).toEqual([
      ...["muster: audit: up", "muster: audit: down"],
    ]);
  });
});

describe("nodes over XML-RPC", () => {
  test("are restarted and waited for, and an experiment is modified by its text", async () => {
    const { serve, caller } = await serveXmlRpc();
    const file = experimentFile();
    expect((await muster("up", file)).code).toBe(0);
    const node = { ...two, node: "n1" };
    await caller.boss("node.statewait", { ...node, state: "SHUTDOWN", timeout: 60 });
    const reboot = await caller.boss("node.reboot", { ...two, nodes: ["n1"], wait: true });
    expect(reboot).toEqual({ code: 0, value: "ok", output: "they are up again" });
    const reload = await caller.boss("node.reload", { nodes: one });
    expect(reload).toEqual({ code: 0, value: "ok", output: "they are being restarted" });
    const refused = await caller.boss("node.reboot", { ...two, nodes: "n0", wait: true });
    expect(refused).toMatchObject({ code: 2, output: expect.stringContaining("sync server") });
    const text = readFileSync(file, "utf8");
    const wrong = await caller.boss("experiment.modify", { ...two, nsfilestr: "set ns [nonsense" });
    expect(wrong).toMatchObject({
      code: 2,
      output: expect.stringContaining("nothing was changed"),
    });
    const nsfilestr = text.replace("\n$ns run", "\nset z [$ns node]\n$ns run");
    const modified = await caller.boss("experiment.modify", { ...two, nsfilestr });
    expect(modified).toMatchObject({ code: 0, value: "ok" });
    const { value: agents } = await caller.boss("experiment.event_agentlist", two);
    expect(agents).toContainEqual(expect.arrayContaining(["z.two.muster"]));
    caller.close();
    expect(serve.stderr.split("\n").filter(isUnexpected)).toEqual([]);
  });
});

describe("events over XML-RPC", () => {
  test("are changed by experiment.modify, whose output says what had fired", async () => {
    const { serve, caller } = await serveXmlRpc();
    const file = join(scratch(), "two.ns");
    const text = (events: readonly string[]): string =>
      [
        ...["set ns [new Simulator]", "source tb_compat.tcl", "set n0 [$ns node]"],
        ...["now", "goes", "comes"].map(
          (name) => `set ${name} [$n0 program-agent -command {${sh(`echo ${name}`)}}]`,
        ),
        ...[...events, "$ns run", ""],
      ].join("\n");
    const [before, after] = [
      text(['$ns at 0 "$now start"', '$ns at 3600 "$goes start"']),
      text(['$ns at 9 "$now start"', '$ns at 0 "$comes start"']),
    ];
    writeFileSync(file, before);
    expect((await muster("up", file)).code).toBe(0);
    const { stdout } = await muster("status", "two", "--json");
    const { runs } = JSON.parse(stdout) as ExperimentDetails;
    const directory = runs[0]?.directory ?? "";
    const hasFired = (id: number): boolean =>
      readRecord(directory).some((one) => one["type"] === "event-fired" && one["id"] === id);
    await until("event 1 has fired", () => hasFired(1));
    const modified = await caller.boss("experiment.modify", { ...two, nsfilestr: after });
    expect(modified).toMatchObject({ code: 0, value: "ok" });
    expect(modified.output).toContain("event 1 (now START) had already fired");
    await until("what came has fired", () => hasFired(3));
    caller.close();
    expect((await muster("down", "two")).code).toBe(0);
    const rows = readResult(directory).events.map(({ id, object, outcome }) => [
      ...[id, object, outcome],
    ]);
    expect(rows.sort()).toEqual([
      ...[
        [1, "now", "done"],
        [2, "goes", "cancelled"],
        [3, "comes", "done"],
      ],
    ]);
    expect(serve.stderr.split("\n").filter(isUnexpected)).toEqual([]);
  });
});

describe("the command line of waitForState", () => {
  test.each([
    [[], "name at least one node"],
    [["-t", "soon", "a"], "-t and -u take seconds"],
    [["-z", "a"], "invalid option -- 'z'"],
    [["-s"], "option requires an argument -- 's'"],
  ])("%j is refused with 255", async (argv, complaint) => {
    const { code, stderr } = await waitForState(...argv);
    expect([code, stderr]).toEqual([255, expect.stringContaining(complaint)]);
    expect(stderr).toContain("Usage: waitForState");
  });

  test("without a daemon ends with 2", async () => {
    expect(await waitForState("a")).toMatchObject({
      ...{ code: 2, stderr: expect.stringContaining("start one with: muster serve") },
    });
  });
});

describe("muster serve --listen xmlrpc", () => {
  test.each([
    [["--listen", "xmlrpc=127.0.0.1:0"], "needs --tls DIR, or --tls-cert, --tls-key and --tls-ca"],
    [["--listen", "xmlrpc", "--tls-ca", "x"], "or both --tls-cert FILE and --tls-key FILE"],
    [
      ["--listen", "xmlrpc=0", "--tls-cert", "/no", "--tls-key", "/no", "--tls-ca", "/no"],
      "cannot read /no",
    ],
  ])("%j is refused before anything is started", async (argv, complaint) => {
    const { code, stderr } = await muster("serve", ...argv);
    expect([[64, 66], stderr]).toEqual([
      expect.arrayContaining([code]),
      expect.stringContaining(complaint),
    ]);
    expect(existsSync(state)).toBe(false);
  });
});
