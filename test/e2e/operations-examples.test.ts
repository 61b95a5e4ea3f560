// SPDX-License-Identifier: MIT
// Goal: the unit and the container files of examples/operations start a server that answers, and
// SIGTERM ends it well in the time they allow. Method: all are parsed; exactly their command lines
// are run with the example's configuration, moved to a temporary directory and to ports of the
// system's choice; their own checks of health are asked. systemd itself judges the unit.
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { stopMsMax } from "../../src/boss/limits.ts";
import { serveExitCodes } from "../../src/cli/commands/serve-client.ts";
import { Command, type Ended, repository, scratch, shell, start } from "./support/command.ts";

const folder = join(repository, "examples/operations");
const unitText = readFileSync(join(folder, "muster.service"), "utf8");
const unit = parseUnit(unitText);
const [container = "", single = ""] = ["muster", "muster-single"].map((name) =>
  readFileSync(join(folder, `${name}.containerfile`), "utf8").replaceAll("\\\n", " "),
);
const config = readFileSync(join(folder, "serve.yaml"), "utf8");
const words = (text: string): readonly string[] => text.split(/\s+/);

const unitLine = words(only("ExecStart"));
/** What a shell runs until the server is there. */
const startedLine = /^\/bin\/sh -c '(.+)'$/.exec(only("ExecStartPost"))?.[1] ?? "";
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
    // The unit and the images differ in nothing but how the command is found.
    expect(containerLine).toEqual(["muster", ...unitLine.slice(1)]);
    expect(unitLine[0]).toBe("/usr/local/bin/muster");
    const root = scratch();
    mkdirSync(join(root, "state"), { mode: 0o700 });
    const moved = config
      .replaceAll("/var/lib/muster", join(root, "state"))
      .replace(/127\.0\.0\.1:\d+/g, "127.0.0.1:0");
    writeFileSync(join(root, "serve.yaml"), moved);
    const [, told = ""] = /^# {3}muster (serve .* --check-config)$/m.exec(unitText) ?? [];
    const check = move(words(told), root);
    expect(check).toEqual([...move(unitLine.slice(1), root), "--check-config"]);
    const checked = await start("muster", check).ended;
    expect(checked).toMatchObject({ code: 0, stderr: "" });
    expect(checked.stdout).toContain("results of old runs are removed: those of more than 30 days");
    const server = start("muster", move(unitLine.slice(1), root));
    const [, url = ""] = await server.prints(/http at (\S+?),/);
    const [curl = "", ...argv] = healthLine.map((word) => word.replace(/^http:\/\/[^/]+/, url));
    const answer = await new Command(curl, argv).ended;
    expect(answer).toMatchObject({ code: 0, stderr: "" });
    const env = { MAINPID: String(server.pid) };
    const waitForStart = (): Promise<Ended> =>
      shell(startedLine.replace(/http:\/\/[^/]+/, url), { env });
    expect(await waitForStart()).toMatchObject({ code: 0, stderr: "" });
    server.child.kill("SIGTERM");
    const ended = await server.ended;
    expect(ended).toMatchObject({ code: 0, signal: null });
    // One that has ended is not waited for: what it ended with decides whether it is tried again.
    expect(await waitForStart()).toMatchObject({ code: 1 });
  });

  it("is not tried again when a wrong file is what it ended with", async () => {
    // The list is of what the server itself ends with, and not what is run before it.
    expect(unit.has("ExecStartPre")).toBe(false);
    const last = words(only("RestartPreventExitStatus"));
    expect(last).toEqual(expect.arrayContaining(["65", "66", String(serveExitCodes.nameTaken)]));
    const file = join(scratch(), "serve.yaml");
    writeFileSync(file, `${config}lissten: http\n`);
    const ended = await start("muster", ["serve", "--config", file]).ended;
    expect(ended).toMatchObject({ code: 65, stderr: expect.stringContaining("listen") });
  });

  it("asks the ports of the configuration, and leaves time to drain and to swap out", () => {
    const { listen, drain, state, log } = parse(config) as Configuration;
    const [http = ""] = listen;
    const place = http.replace("http=", "http://");
    expect(startedLine).toContain(`${place}/readyz;`);
    expect(healthLine).toContain(`${place}/healthz`);
    const seconds = Number(only("TimeoutStopSec"));
    expect(seconds * 1_000).toBeGreaterThanOrEqual(drain * 1_000 + 60_000);
    expect(container).toContain(`--stop-timeout ${seconds}`);
    expect(stopMsMax).toBeLessThanOrEqual(seconds * 1_000);
    expect(state).toBe(`/var/lib/${only("StateDirectory")}`);
    expect(log).toBe(`sqlite:${state}/core.log`);
    expect(container).toContain(`VOLUME ${state}\n`);
  });

  it("has two images that differ in nothing but what they are made of", () => {
    const lineOf = (text: string, word: string): string | undefined =>
      new RegExp(`^${word} .*$`, "m").exec(text)?.[0];
    const same = ["COPY serve.yaml", "USER", "VOLUME", "STOPSIGNAL", "HEALTHCHECK", "ENTRYPOINT"];
    for (const word of [...same, "#   podman run"]) {
      expect(lineOf(container, word)).toBeDefined();
      expect(lineOf(single, word)).toBe(lineOf(container, word));
    }
    // Of the format that has a check of health, which podman and buildah do not make unasked.
    for (const text of [container, single]) expect(text).toContain(" build --format docker ");
    // What it has beside Debian's essential packages: for the check, for useradd, for Node.
    const [, included = ""] = /--include=(\S+)/.exec(single) ?? [];
    expect(included.split(",").sort()).toEqual(["curl", "libstdc++6", "passwd"]);
    expect(single).toMatch(/^FROM scratch$/m);
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

  it("has a unit that systemd finds nothing wrong with", async () => {
    const root = scratch();
    // The judge wants the program to be there.
    const path = join(root, "muster");
    writeFileSync(path, "#!/bin/sh\n");
    chmodSync(path, 0o755);
    const text = readFileSync(join(folder, "muster.service"), "utf8");
    const file = join(root, "muster.service");
    writeFileSync(file, text.replaceAll("/usr/local/bin/muster", path));
    const argv = ["verify", "--man=no", file];
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
