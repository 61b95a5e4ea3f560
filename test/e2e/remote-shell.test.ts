// SPDX-License-Identifier: MIT
// Goal: a command reaches another machine word for word and comes back with its status; however it
// is cancelled or cut off, nothing of it stays there. Method: a stand-in for ssh in Python that
// hands a line to a shell in a process of its own and relays standard input, so that the local end
// can be killed and the remote end only notices that its input ended.
import { chmodSync, existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import { identifyProcess } from "../../src/events/launch/process-identity.ts";
import { RemoteShell } from "../../src/events/launch/remote-shell.ts";
import { scratch, until } from "./support/command.ts";

const standIn = `#!/usr/bin/env python3
import subprocess, sys
line = sys.argv[-1]
with open(sys.argv[1], "a") as notes:
    notes.write(" ".join(sys.argv[2:-1]) + "\\n")
remote = subprocess.Popen(["sh", "-c", line], stdin=subprocess.PIPE, start_new_session=True)
sys.exit(remote.wait())
`;

let directory = "";
let template = "";
const place = { host: "ops.example", user: "operator", port: 2222 };

beforeEach(() => {
  directory = scratch();
  const path = join(directory, "stand-in");
  writeFileSync(path, standIn);
  chmodSync(path, 0o755);
  template = `${path} ${join(directory, "notes")} -p %p %u@%h`;
});

/** Names itself, ignores TERM, and has a child that does too. */
const stubborn = (file: string): string[] => [
  ...["sh", "-c", 'trap "" TERM; sleep 1000 & echo "$$ $!" >"$1.part"; mv "$1.part" "$1"; wait'],
  ...["sh", file],
];

async function pidsIn(file: string): Promise<number[]> {
  await until(`${file} is there`, () => existsSync(file));
  return readFileSync(file, "utf8").trim().split(" ").map(Number);
}
/** Processes that have this word in their command line. */
function watchersOf(word: string): readonly string[] {
  return readdirSync("/proc").filter((pid) => {
    try {
      return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(word);
    } catch {
      return false;
    }
  });
}
const isGone = (pid: number): boolean => identifyProcess(pid) === undefined;

describe.each([
  ["through a template", (): string => template],
  ["without one, here", (): string => ""],
] as const)("RemoteShell %s", (_, given) => {
  test("passes every word as it is, and the output and status back", async () => {
    const words = ["a b", "it's", "$(touch /tmp/x)", "`id`", "", "*", '"', "\\", "-n", "new\nline"];
    let stdout = "";
    let stderr = "";
    const ending = await new RemoteShell(given()).run(place, {
      argv: ["sh", "-c", "printf '<%s>' \"$@\"; echo wrong >&2; exit 37", "sh", ...words],
      onOutput: (stream, text) => {
        if (stream === "stdout") stdout += text;
        else stderr += text;
      },
    });
    expect(ending).toEqual({ exitCode: 37, signal: null, cancelled: false });
    expect(stdout).toBe(words.map((word) => `<${word}>`).join(""));
    expect(stderr).toBe("wrong\n");
  });

  test("cancelled, gives who needs it time to end in order, and takes no longer than that", async () => {
    const [file, said] = [join(directory, "begun"), join(directory, "said")];
    const controller = new AbortController();
    const inOrder = 'trap \'sleep 1; echo "in order" >"$2"; exit 0\' TERM; echo $$ >"$1"';
    const running = new RemoteShell(given()).run(place, {
      // Who asked reads no more: a shell that says so would end by that.
      argv: [
        "sh",
        "-c",
        `exec 2>/dev/null; ${inOrder}; while :; do sleep 0.05; done`,
        "sh",
        file,
        said,
      ],
      ...{ signal: controller.signal, onOutput: () => undefined, graceSeconds: 1_000 },
    });
    await until("it has begun", () => existsSync(file) && readFileSync(file, "utf8") !== "");
    controller.abort();
    expect((await running).cancelled).toBe(true);
    await until("it has ended in order", () => existsSync(said));
    // The watcher has the line of the guard among its arguments.
    await until("nobody watches any more", () => watchersOf(said).length === 0);
  });

  test("cancelled, ends the local end, and over there all of the group, also by force", async () => {
    const file = join(directory, "pids");
    const controller = new AbortController();
    const running = new RemoteShell(given()).run(place, {
      argv: stubborn(file),
      signal: controller.signal,
      onOutput: () => undefined,
    });
    const pids = await pidsIn(file);
    expect(pids.map(isGone)).toEqual([false, false]);
    controller.abort();
    // Here the local end is the guard itself, which ends with what it has killed.
    const killed = { exitCode: null, signal: "SIGKILL", cancelled: true };
    const guarded = { exitCode: 137, signal: null, cancelled: true };
    expect(await running).toEqual(new RemoteShell(given()).isLocal ? guarded : killed);
    await until("the group over there has ended", () => pids.every(isGone));
  });

  test("lets a command end in order that hears the TERM", async () => {
    const file = join(directory, "said");
    const controller = new AbortController();
    // A handler that runs whenever the signal comes: a shell may miss one just before its `wait`.
    const script = [
      "import os, signal, sys, time",
      "def ended(*_): open(sys.argv[1], 'w').close(); os._exit(0)",
      "signal.signal(signal.SIGTERM, ended)",
      "print('up', flush=True)",
      "time.sleep(1000)",
    ].join("\n");
    const running = new RemoteShell(given()).run(place, {
      argv: ["python3", "-c", script, file],
      // The usual half second may pass before it is its turn on a busy machine.
      graceSeconds: 60,
      signal: controller.signal,
      onOutput: (_stream, text) => {
        if (text.includes("up")) controller.abort();
      },
    });
    expect((await running).cancelled).toBe(true);
    await until("it has ended in order", () => existsSync(file));
  });

  test("does nothing when it was cancelled before", async () => {
    const command = { argv: ["false"], signal: AbortSignal.abort(), onOutput: () => undefined };
    expect(await new RemoteShell(given()).run(place, command)).toMatchObject({ cancelled: true });
  });
});

describe("RemoteShell", () => {
  test("fills in host, user and port as whole words, and a percent sign", () => {
    const shell = new RemoteShell("ssh  -p %p -o X=%% %u@%h");
    const argv = shell.argvFor(place, ["echo", "it's"]);
    expect(argv.slice(0, -1)).toEqual(["ssh", "-p", "2222", "-o", "X=%", "operator@ops.example"]);
    expect(argv.at(-1)).toMatch(/^'sh' '-c' '[\s\S]*' 'muster-remote' 'echo' 'it'\\''s'$/);
  });

  test.each(["-oProxyCommand=id", "a b", "a;b", "a\nb", ""])("refuses the host %j", (host) => {
    const shell = new RemoteShell("ssh %h");
    expect(() => shell.argvFor({ host, user: "u" }, ["true"])).toThrow("no name of a host");
  });

  test("refuses letters it does not know, and a command that is an option", () => {
    expect(() => new RemoteShell("ssh %q")).toThrow("%q in the remote shell");
    expect(() => new RemoteShell("ssh %")).toThrow("% in the remote shell");
    expect(() => new RemoteShell("").argvFor(place, ["-x"])).toThrow("name a program");
    expect(() => new RemoteShell("").argvFor(place, [])).toThrow("name a program");
  });

  test("says what cannot be run", async () => {
    const shell = new RemoteShell("/nowhere/ssh %h");
    const command = { argv: ["true"], onOutput: () => undefined };
    await expect(shell.run(place, command)).rejects.toThrow("/nowhere/ssh cannot be run");
  });
});
