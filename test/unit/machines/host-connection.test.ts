// SPDX-License-Identifier: MIT
// Goal: an agent is started over a remote shell whatever that prints first, and is copied when it
// is missing, another one or damaged, and not otherwise; what goes wrong is said and leaves nothing
// running. Method: a small script in place of the executable; the shell is sh with a home of its
// own.
import { createHash } from "node:crypto";
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { machine, tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { afterEach, beforeEach, expect, test } from "vitest";
import { RemoteShell } from "../../../src/events/launch/index.ts";
import { systemClock } from "../../../src/host/clock.ts";
import {
  type AgentSource,
  type ConnectionOptions,
  connectHost,
  connectStream,
} from "../../../src/testbed/machines/host-connection.ts";
import { preamble } from "../../../src/wire/node-link/index.ts";

let directory = "";
const said: string[] = [];
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "muster-test-"));
  mkdirSync(join(directory, "home"));
  said.length = 0;
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

/** Says the preamble and what it was called with; ends with its input. */
const script = `#!/bin/sh
printf '${preamble.replaceAll("\n", "\\n")}'
echo "$*"
cat >/dev/null
`;

function executable(text: string = script): Extract<AgentSource, { kind: "executable" }> {
  const path = join(directory, "agent");
  writeFileSync(path, text);
  const checksum = createHash("sha256").update(text).digest("hex");
  return { ...{ kind: "executable", path, checksum, machine: machine() }, bytes: text.length };
}

const template = (): string => `env -u XDG_CACHE_HOME HOME=${directory}/home sh -c`;

function options(agent: AgentSource, shell: string = template()): ConnectionOptions {
  return {
    ...{ name: "a", place: { host: "a", user: "ann" }, shell: new RemoteShell(shell), agent },
    ...{ clock: systemClock, interrupt: new AbortController().signal },
    say: (text) => said.push(text),
  };
}

/** What the agent says behind the preamble; it has ended then. */
async function connected(given: ConnectionOptions): Promise<string> {
  const { input, output } = await connectHost(given);
  output.end();
  let text = "";
  for await (const chunk of input.setEncoding("utf8")) text += String(chunk);
  return text;
}

const cached = (): string[] => readdirSync(join(directory, "home/.cache/muster"));
const copied = ["a gets muster (1 MiB), which is not there in this version"];

test("an agent that is missing is copied, and used the next time", async () => {
  const agent = executable();
  expect(await connected(options(agent))).toBe("node agent\n");
  expect(said).toEqual(copied);
  expect(cached()).toEqual([`muster-${agent.checksum}`]);
  expect(await connected(options(agent))).toBe("node agent\n");
  expect(said).toEqual(copied);
});

test("another version is another file", async () => {
  await connected(options(executable()));
  const agent = executable(script.replace("$*", "newer"));
  expect(await connected(options(agent))).toBe("newer\n");
  expect(said).toEqual([...copied, ...copied]);
  expect(cached()).toHaveLength(2);
});

test("a damaged copy is replaced", async () => {
  const agent = executable();
  await connected(options(agent));
  appendFileSync(join(directory, "home/.cache/muster", `muster-${agent.checksum}`), "#");
  expect(await connected(options(agent))).toBe("node agent\n");
  expect(said).toEqual([...copied, ...copied]);
  expect(cached()).toEqual([`muster-${agent.checksum}`]);
});

test("one that does not arrive whole is not run, and does not stay", async () => {
  const agent = { ...executable(), checksum: "0".repeat(64) };
  await expect(connectHost(options(agent))).rejects.toThrow(
    /^the executable did not arrive whole in /,
  );
  expect(cached()).toEqual([]);
});

test("why it did not arrive whole is said, as where a disk is full", async () => {
  const head = join(directory, "head");
  writeFileSync(head, "#!/bin/sh\necho 'head: no room' >&2\nexit 1\n", { mode: 0o700 });
  const shell = template().replace("HOME=", `PATH=${directory}:${process.env["PATH"]} HOME=`);
  await expect(connectHost(options(executable(), shell))).rejects.toThrow(/muster: head: no room$/);
  expect(cached()).toEqual([]);
});

test("what there is no room for is not copied, and both figures are said", async () => {
  const words = ["Filesystem 1024-blocks Used Available Capacity Mounted on"];
  const df = join(directory, "df");
  const shell = template().replace("HOME=", `PATH=${directory}:${process.env["PATH"]} HOME=`);
  const agent = { ...executable(), bytes: 3 * 2 ** 20 };
  const row = (freeKib: number): string => `/dev/sda 1    99  9000000 ${freeKib}     99% /home`;
  const print = (freeKib: number): void => {
    const text = [...words, row(freeKib)].join("\n");
    writeFileSync(df, `#!/bin/sh\necho '${text}'\n`, { mode: 0o700 });
  };
  print(3_071);
  const cache = join(directory, "home/.cache/muster");
  await expect(connectHost(options(agent, shell))).rejects.toThrow(
    `there is no room for muster in ${cache}: it takes 3 MiB, and 2 MiB are free`,
  );
  expect(said).toEqual([]);
  expect(cached()).toEqual([]);
  print(3_072);
  const whole = executable();
  expect(await connected(options(whole, shell))).toBe("node agent\n");
});

test("what a copy has left that was killed goes a day later", async () => {
  const agent = executable();
  const cache = join(directory, "home/.cache/muster");
  mkdirSync(cache, { recursive: true });
  const [old, fresh] = [`muster-${agent.checksum}.1`, `muster-${agent.checksum}.2`];
  for (const name of [old, fresh]) writeFileSync(join(cache, name), "#!");
  const twoDaysAgo = Date.now() / 1_000 - 172_800;
  utimesSync(join(cache, old), twoDaysAgo, twoDaysAgo);
  await connected(options(agent));
  expect(cached().toSorted()).toEqual([`muster-${agent.checksum}`, fresh]);
});

test("one for another kind of machine is not sent", async () => {
  const agent = { ...executable(), machine: "pdp11" };
  await expect(connectHost(options(agent))).rejects.toThrow(
    `it is of the kind ${machine()}, and ${agent.path} is for pdp11`,
  );
});

test("what shells print before is passed over, up to a limit", async () => {
  const command = { kind: "command", argv: ["sh", "-c", `echo hello; ${say()}`, "sh"] } as const;
  expect(await connected(options(command))).toBe("node agent\n");
  const noisy = { kind: "command", argv: ["sh", "-c", "yes", "sh"] } as const;
  await expect(connectHost(options(noisy))).rejects.toThrow(
    "its shell prints more than 65536 bytes",
  );
});

const say = (): string => `printf '${preamble.replaceAll("\n", "\\n")}'; echo "$*"; cat >/dev/null`;

test("a shell that ends, or is not there, is named with its last words", async () => {
  const command = { kind: "command", argv: ["true"] } as const;
  const failing = join(directory, "ssh");
  writeFileSync(failing, '#!/bin/sh\necho "no route to $1" >&2\nexit 255\n', { mode: 0o755 });
  await expect(connectHost(options(command, `${failing} %h`))).rejects.toThrow(
    "the remote shell ended: no route to a",
  );
  // As that of an account that has none, on standard output.
  const none = join(directory, "nologin");
  const said = "This account is currently not available.";
  writeFileSync(none, `#!/bin/sh\necho welcome\necho '${said}'\nexit 1\n`, { mode: 0o755 });
  await expect(connectHost(options(command, `${none} %h`))).rejects.toThrow(
    `the remote shell ended: ${said}`,
  );
  await expect(connectHost(options(command, "false %h"))).rejects.toThrow(
    "the remote shell ended with 1, and said nothing",
  );
  await expect(connectHost(options(command, join(directory, "nothing")))).rejects.toThrow(
    /^the remote shell cannot be run: .*ENOENT/,
  );
});

test("an interrupt gives up a shell that says nothing", async () => {
  const interrupt = new AbortController();
  const command = { kind: "command", argv: ["sh", "-c", "exec cat", "sh"] } as const;
  const connecting = connectHost({ ...options(command), interrupt: interrupt.signal });
  interrupt.abort();
  await expect(connecting).rejects.toThrow("the remote shell ended");
});

test("an interrupt gives up a stream on which nobody speaks, also one that came before", async () => {
  const why = "the run was interrupted before its agent spoke";
  const interrupt = new AbortController();
  const how = { clock: systemClock, interrupt: interrupt.signal };
  const streams = [new PassThrough(), new PassThrough()] as const;
  const connecting = connectStream(streams[0], how);
  interrupt.abort();
  await expect(connecting).rejects.toThrow(why);
  await expect(connectStream(streams[1], how)).rejects.toThrow(why);
  expect(streams.map(({ destroyed }) => destroyed)).toEqual([true, true]);
  const command = { kind: "command", argv: ["sh", "-c", "exec cat", "sh"] } as const;
  const late = connectHost({ ...options(command), interrupt: interrupt.signal });
  await expect(late).rejects.toThrow("the remote shell ended");
});

test("ending a shell ends what it has started, and waits for nobody who holds its streams", async () => {
  const pids = join(directory, "pids");
  // One within the group, and one that has left it; both hold standard output and error.
  const starts = `sleep 600 & echo $! >${pids}; setsid sleep 600 & echo $! >>${pids}`;
  const interrupt = new AbortController();
  const silent = { kind: "command", argv: ["sh", "-c", `${starts}; wait`, "sh"] } as const;
  const connecting = connectHost({ ...options(silent), interrupt: interrupt.signal });
  const started = (): number[] => readPids(pids);
  await expect.poll(() => started().length).toBe(2);
  interrupt.abort();
  await expect(connecting).rejects.toThrow("the remote shell ended");
  await expect.poll(() => isRunning(started()[0])).toBe(false);
  process.kill(started()[1] ?? 0, "SIGKILL");

  const speaks = { kind: "command", argv: ["sh", "-c", `${starts}; ${say()}`, "sh"] } as const;
  const connection = await connectHost(options(speaks));
  connection.kill();
  await connection.ended;
  await expect.poll(() => isRunning(started()[0])).toBe(false);
  process.kill(started()[1] ?? 0, "SIGKILL");
});

function readPids(path: string): number[] {
  if (!existsSync(path)) return [];
  return readFileSync(path, "utf8").split("\n").filter(Boolean).map(Number);
}

/** One that has ended may stay until it is reaped. */
function isRunning(pid = 0): boolean {
  const path = `/proc/${pid}/stat`;
  return existsSync(path) && !/\) Z/.test(readFileSync(path, "utf8"));
}
