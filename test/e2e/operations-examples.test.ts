// SPDX-License-Identifier: MIT
// Goal: the unit and the container file of examples/operations start a server that answers, and
// SIGTERM ends it well in the time they allow. Method: both are parsed; exactly their command lines
// are run with the example's configuration, moved to a temporary directory and to ports of the
// system's choice; their own checks of health are asked. systemd itself judges the unit.
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { stopMsMax } from "../../src/boss/limits.ts";
import { Command, repository, scratch, start } from "./support/command.ts";

const folder = join(repository, "examples/operations");
const unit = parseUnit(readFileSync(join(folder, "muster.service"), "utf8"));
const container = readFileSync(join(folder, "muster.containerfile"), "utf8").replaceAll(
  "\\\n",
  " ",
);
const config = readFileSync(join(folder, "serve.yaml"), "utf8");
const words = (text: string): readonly string[] => text.split(/\s+/);

const unitLine = words(only("ExecStart"));
const containerLine = JSON.parse(/^ENTRYPOINT (.+)$/m.exec(container)?.[1] ?? "") as string[];
const healthLine = JSON.parse(/^HEALTHCHECK .*CMD (.+)$/m.exec(container)?.[1] ?? "") as string[];

/** The place of the example's files in a directory of its own. */
function move(line: readonly string[], root: string): readonly string[] {
  return line.map((word) => word.replace("/etc/muster", root));
}

interface Configuration {
  readonly listen: readonly string[];
  readonly drain: number;
  readonly state: string;
  readonly log: string;
}

describe("examples/operations", () => {
  it("starts with the command lines of both, answers their checks and ends with 0", async () => {
    // The unit and the image differ in nothing but how the command is found.
    expect(containerLine).toEqual(["muster", ...unitLine.slice(1)]);
    expect(unitLine[0]).toBe("/usr/local/bin/muster");
    const root = scratch();
    mkdirSync(join(root, "state"), { mode: 0o700 });
    const moved = config
      .replaceAll("/var/lib/muster", join(root, "state"))
      .replace(/127\.0\.0\.1:\d+/g, "127.0.0.1:0");
    writeFileSync(join(root, "serve.yaml"), moved);
    const [, ...check] = move(words(only("ExecStartPre")), root);
    expect(check).toEqual([...move(unitLine.slice(1), root), "--check-config"]);
    const checked = await start("muster", check).ended;
    expect(checked).toMatchObject({ code: 0, stderr: "" });
    const server = start("muster", move(unitLine.slice(1), root));
    const [, url = ""] = await server.prints(/http at (\S+?),/);
    for (const line of [words(only("ExecStartPost")), healthLine]) {
      const [curl = "", ...argv] = line.map((word) => word.replace(/^http:\/\/[^/]+/, url));
      const answer = await new Command(curl, argv).ended;
      expect(answer).toMatchObject({ code: 0, stderr: "" });
    }
    server.child.kill("SIGTERM");
    const ended = await server.ended;
    expect(ended).toMatchObject({ code: 0, signal: null });
  });

  it("asks the ports of the configuration, and leaves time to drain and to swap out", () => {
    const { listen, drain, state, log } = parse(config) as Configuration;
    const [http = ""] = listen;
    const place = http.replace("http=", "http://");
    expect(only("ExecStartPost")).toContain(`${place}/readyz`);
    expect(healthLine).toContain(`${place}/healthz`);
    const seconds = Number(only("TimeoutStopSec"));
    expect(seconds * 1_000).toBeGreaterThanOrEqual(drain * 1_000 + 60_000);
    expect(container).toContain(`--stop-timeout ${seconds}`);
    expect(stopMsMax).toBeLessThanOrEqual(seconds * 1_000);
    expect(state).toBe(`/var/lib/${only("StateDirectory")}`);
    expect(log).toBe(`sqlite:${state}/core.log`);
    expect(container).toContain(`VOLUME ${state}\n`);
  });

  it("runs as nobody who is root, and forbids nothing that nodes need", () => {
    expect(only("User")).toBe("muster");
    expect(container).toMatch(/^USER muster$/m);
    const hindrances = ["RestrictNamespaces", "RestrictRealtime", "PrivateNetwork", "PrivateUsers"];
    hindrances.push("ProtectControlGroups", "MemoryDenyWriteExecute");
    for (const name of hindrances) expect(unit.get(name)).toBeUndefined();
    // Muster does not speak sd_notify: a unit that waits for it would never have started.
    expect(only("Type")).toBe("exec");
  });

  it("removes old runs with a command line that is understood", async () => {
    const text = readFileSync(join(folder, "muster-prune.service"), "utf8");
    const [[, ...argv] = []] = (parseUnit(text).get("ExecStart") ?? []).map(words);
    expect(argv).toContain(parse(config).state);
    const state = join(scratch(), "none");
    const moved = argv.map((word) => word.replace("/var/lib/muster", state));
    const ended = await start("muster", [...moved, "--dry-run"]).ended;
    expect(ended).toMatchObject({ code: 0, stderr: "" });
    expect(ended.stdout).toBe("would remove 0 runs of 0 bytes, 0 stay\n");
  });

  it("has units that systemd finds nothing wrong with", async () => {
    const root = scratch();
    // The judge wants the program to be there.
    const path = join(root, "muster");
    writeFileSync(path, "#!/bin/sh\n");
    chmodSync(path, 0o755);
    const files = ["muster.service", "muster-prune.service", "muster-prune.timer"].map((name) => {
      const text = readFileSync(join(folder, name), "utf8");
      writeFileSync(join(root, name), text.replaceAll("/usr/local/bin/muster", path));
      return join(root, name);
    });
    const argv = ["verify", "--man=no", ...files];
    const env = { SYSTEMD_LOG_LEVEL: "warning" };
    const judged = await new Command("systemd-analyze", argv, { env }).ended;
    expect(judged).toMatchObject({ code: 0, stdout: "", stderr: "" });
  });
});

/** The only value of a name. @throws Error when there are more or none. */
function only(name: string): string {
  const values = unit.get(name) ?? [];
  if (values.length === 1) return values[0] ?? "";
  throw new Error(`${values.length} values of ${name}`);
}

function parseUnit(text: string): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, readonly string[]>();
  for (const line of text.split("\n")) {
    if (line === "" || line.startsWith("#") || /^\[\w+\]$/.test(line)) continue;
    const [, name = "", value = ""] = /^(\w+)=(.*)$/.exec(line) ?? [];
    if (name === "") throw new Error(`not a line of a unit: ${line}`);
    found.set(name, [...(found.get(name) ?? []), value]);
  }
  return found;
}
