// SPDX-License-Identifier: MIT
// Goal: states, quorums and rosters by curl and by `muster barrier`, and all doors at one roster.
// Method: the real commands and server; the example of the documentation is run as it stands.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { connect } from "../../src/client/index.ts";
import { Command, repository, scratch, shell, start } from "./support/command.ts";

const page = readFileSync(join(repository, "docs/reference/http.md"), "utf8");

async function serve() {
  const server = start("muster", ["serve", "--state", scratch(), "--listen", "http=127.0.0.1:0"]);
  const [, url = ""] = await server.prints(/http at (\S+),/);
  const env = { MUSTER_SERVER: url };
  const muster = (...argv: readonly string[]) =>
    new Command(join(repository, "bin/muster"), ["barrier", ...argv], { env });
  const post = async (path: string, body: object) => {
    const argv = ["--silent", "--show-error", "--max-time", "60", `${url}/v1${path}`];
    const { stdout } = await new Command("curl", [...argv, "--data", JSON.stringify(body)]).ended;
    return JSON.parse(stdout) as Record<string, unknown>;
  };
  return { url, muster, post };
}

describe("other kinds of barriers", () => {
  it("the example of the documentation does what it shows", async () => {
    const { url } = await serve();
    const [, example = ""] = /\[Other kinds\][^\n]*\n\n```sh\n([\s\S]*?)```/.exec(page) ?? [];
    const { code, stdout, stderr } = await shell(example, { env: { URL: url } });
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout.match(/"outcome":"crossed","generation":1,"error":0,"phase":1/g)).toHaveLength(2);
    expect(stdout.match(/"outcome":"crossed","generation":1,"error":0,"phase":2/g)).toHaveLength(2);
    expect(stdout).toContain('{"value":1}');
    expect(stdout).toContain('"error":0,"value":2}');
    expect(stdout).toContain('"code":"failed"');
  });

  it("muster barrier, curl and the library meet at one roster; who is missing is known", async () => {
    const { url, muster, post } = await serve();
    const members = ["a", "b", "c"].flatMap((name) => ["--member", name]);
    expect(await muster("init", "r", "--kind", "roster", ...members).ended).toMatchObject({
      ...{ code: 0, stdout: "r: open for 3\n" },
    });
    await using session = await connect(url);
    const roster = session.rosterBarrier("r");
    const byLibrary = roster.arrive({ name: "a", error: 3 });
    const byCurl = post("/rosters/r/arrive", { name: "b" });
    for (;;) if ((await roster.describe())?.arrived === 2) break;
    const shown = await muster("show", "r", "--kind", "roster").ended;
    expect(shown.stdout).toContain("2 of 3 are there");
    expect(shown.stdout).toContain("missing: c\n");
    const listed = await muster("ls").ended;
    expect(listed.stdout).toMatch(/r +roster +2 +3 +1 +c/);
    const byCommand = muster("wait", "r", "--kind", "roster", "--name", "c");
    expect(await byLibrary).toEqual({ generation: 1, error: 3, phase: 1 });
    expect(await byCurl).toEqual({ outcome: "crossed", generation: 1, error: 3, phase: 1 });
    expect(await byCommand.ended).toMatchObject({ code: 1 });
  });

  it("muster barrier signals, waits for a quorum, and fails and cancels with a reason", async () => {
    const { url, muster, post } = await serve();
    const state = ["--target", "2"]; // Only a state has one.
    const waits = muster("wait", "s", ...state, "--json");
    const signals = [1, 2].map(() => muster("wait", "s", ...state, "--signal", "--json"));
    const ends = await Promise.all([waits, ...signals].map(({ ended }) => ended));
    expect(ends.map(({ code }) => code)).toEqual([0, 0, 0]);
    const values = ends.map(({ stdout }) => (JSON.parse(stdout) as { value?: number }).value);
    expect(values.toSorted()).toEqual([1, 2, undefined]);
    const put = ["-s", "-X", "PUT", `${url}/v1/peers`, "--data", '{"count":4}'];
    await new Command("curl", put).ended;
    const init = (part: string) => muster("init", "q", part, "--kind", "quorum").ended;
    expect(await init("50%")).toMatchObject({ code: 0, stdout: "q: open for 50%\n" });
    const peers = [1, 2].map(() => muster("wait", "q", "--kind", "quorum").ended);
    expect((await Promise.all(peers)).map(({ code }) => code)).toEqual([0, 0]);
    await using session = await connect(url);
    const quorum = session.quorumBarrier("q");
    for (const [verb, code, text] of [
      [["fail", "q", "the disk is full"], 4, "was failed: the disk is full"],
      [["cancel", "q", "--reason", "enough"], 3, "was cancelled: enough"],
    ] as const) {
      await init("100%");
      const byCommand = muster("wait", "q", "--kind", "quorum");
      const byCurl = post("/quorums/q/wait", {});
      for (;;) if ((await quorum.describe())?.arrived === 2) break;
      expect(await muster(...verb, "--kind", "quorum").ended).toMatchObject({ code: 0 });
      const ended = await byCommand.ended;
      expect(ended.code).toBe(code);
      expect(ended.stderr).toContain(text);
      expect((await byCurl)["message"]).toContain(text);
    }
  });

  it("options that do not belong to the kind are told before a server is asked", async () => {
    const muster = (...argv: readonly string[]) =>
      new Command(join(repository, "bin/muster"), ["barrier", ...argv], {
        env: { MUSTER_SERVER: "http://127.0.0.1:9" },
      }).ended;
    for (const argv of [
      ["wait", "b", "--kind", "count", "--target", "2"],
      ["wait", "b", "--kind", "state"],
      ["wait", "b", "--phase", "2"], // a roster, and nobody's name
      ["wait", "b", "--kind", "roster"],
      ["init", "b"],
      ["init", "b", "101", "--kind", "state"],
      ["init", "b", "--kind", "roster"],
      ["init", "b", "1", "--member", "a"],
      ["init", "b", "1", "--kind", "quorum", "--wait"],
    ]) {
      const { code, stderr } = await muster(...argv);
      expect([argv, code]).toEqual([argv, 64]);
      expect(stderr).toMatch(/--|state|number/);
    }
  });
});
