// SPDX-License-Identifier: MIT
// Goal: program-agent as a command on a node of a testbed: obeys what the scheduler of the
// experiment orders, says what came of it, also when it was killed or told to read its
// configuration again; becomes the user, goes to the background. Method: an event server, the
// scheduler, the agent and tevc, each a process of its own but the first.
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { userInfo } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { experiment, Scheduled } from "./events-support/scheduled.ts";
import { type Command, run, start, until } from "./support/command.ts";

const isRoot = process.geteuid?.() === 0;
/** Root's agent becomes somebody; anybody else's stays who he is. */
const user = isRoot ? "nobody" : userInfo().username;

let scheduled: Scheduled;
let directory: string;

beforeEach(async () => {
  scheduled = await Scheduled.open(
    `set ns [new Simulator]
source tb_compat.tcl
set a [$ns node]
set p [$a program-agent -command "true"]
set q [$a program-agent -command "true"]
set r [$a program-agent -command "echo again"]
set s [new Program $ns]
$s set node ops
$s set command "true"
$ns at 1.0 "$r start"
$ns run
`,
    ["a"],
  );
  await scheduled.watchAgents();
  directory = scheduled.directory;
  writeConfig("exit 3");
});
afterEach(() => scheduled.close());

function writeConfig(command: string, more = ""): void {
  const lines = [
    ...[`UID=${user}`, `AGENT=p COMMAND='echo $GREETING; id -un; ${command}'`],
    ...["AGENT=q COMMAND='exec sleep 1000'", "AGENT=r COMMAND='echo again'", "ENV GREETING=hello"],
  ];
  writeFileSync(join(directory, "config"), `${lines.join("\n")}\n${more}`);
}

const inDirectory = (name: string): string => join(directory, name);

function agentArguments(...more: readonly string[]): readonly string[] {
  const files = ["-c", inDirectory("config"), "-k", scheduled.keyFile, "-o", inDirectory("logs")];
  const life = ["-i", inDirectory("pid"), "-t", inDirectory("logs/token")];
  return [...scheduled.where, "-e", experiment, ...files, ...life, ...more];
}

async function startAgent(...more: readonly string[]): Promise<Command> {
  const agent = start("program-agent", ["-d", "-v", "a", ...agentArguments(...more)]);
  await agent.prints(/obeying for/);
  return agent;
}

test("runs programs for the scheduler, as the user, and says what came of each", async () => {
  const agent = await startAgent();
  await scheduled.served("p");
  expect(await scheduled.tevcWait("now", "p", "run")).toMatchObject({ code: 3 });
  const printed = readFileSync(inDirectory("logs/p.out"), "utf8");
  expect(printed).toBe(`hello\n${user}\n`);
  expect(readFileSync(inDirectory("logs/p.status"), "utf8")).toContain("EXIT_CODE=3\n");
  // Held for the instant, and started then.
  expect(await scheduled.tevcWait("+1", "p", "run", "COMMAND=exit 4")).toMatchObject({ code: 4 });
  expect(await scheduled.tevcWait("now", "p", "kill", "SIGNAL=HUP")).toMatchObject({ code: 255 });
  agent.child.kill("SIGTERM");
  expect((await agent.ended).code).toBe(0);
});

test("begins anew with event time, and starts then what is planned", async () => {
  await startAgent();
  await scheduled.served("p");
  await scheduled.tevcWait("now", "p", "run");
  expect(await scheduled.tevcWait("now", "__ns_sequence", "start")).toMatchObject({ code: 0 });
  const out = inDirectory("logs/r.out");
  await until("r has run", () => existsSync(out) && readFileSync(out, "utf8") === "again\n");
  expect(existsSync(inDirectory("logs/p.out"))).toBe(false);
});

test("killed while a program runs, leaves nobody waiting, and its successor obeys", async () => {
  const agent = await startAgent();
  await scheduled.served("q");
  const waiting = scheduled.tevcWait("now", "q", "run", "COMMAND=echo $$; exec sleep 1000");
  const out = inDirectory("logs/q.out");
  await until("q runs", () => existsSync(out) && readFileSync(out, "utf8").endsWith("\n"));
  const left = Number(readFileSync(out, "utf8"));
  agent.child.kill("SIGKILL");
  await agent.ended;
  await startAgent();
  // The new life is told at once; nobody waits until the old one counts as silent.
  expect(await waiting).toMatchObject({ code: 255 });
  process.kill(left, "SIGKILL");
  expect(await scheduled.tevcWait("now", "p", "run")).toMatchObject({ code: 3 });
});

test("hands a RELOAD to its successor with status 45, who completes it", async () => {
  const agent = await startAgent();
  await scheduled.served("q");
  const running = scheduled.tevcWait("now", "q", "run");
  await until("q runs", () => existsSync(inDirectory("logs/q.out")));
  const reload = scheduled.tevcWait("now", "__a_program-agent", "reload");
  expect((await agent.ended).code).toBe(45);
  // What ran was ended, and reported before the agent went.
  expect(await running).toMatchObject({ code: 15 });
  expect(readFileSync(inDirectory("logs/token"), "utf8")).toMatch(/^\d+ \d+\n$/);
  writeConfig("exit 5");
  await startAgent();
  expect(await reload).toMatchObject({ code: 0 });
  expect(existsSync(inDirectory("logs/token"))).toBe(false);
  expect(await scheduled.tevcWait("now", "p", "run")).toMatchObject({ code: 5 });
});

test("on ops reads its configuration and environment again, and stays", async () => {
  const file = inDirectory("environment");
  writeFileSync(file, 'GREETING="good morning"\n');
  writeFileSync(inDirectory("config"), `UID=${user}\nAGENT=p COMMAND='echo $GREETING'\n`);
  const argv = ["-d", "-v", "ops", ...agentArguments("-f", file)];
  await start("program-agent", argv).prints(/obeying for 1 /);
  await scheduled.served("p");
  await scheduled.tevcWait("now", "p", "run");
  expect(readFileSync(inDirectory("logs/p.out"), "utf8")).toBe("good morning\n");
  writeFileSync(file, 'GREETING="good night"\n');
  writeConfig("exit 6", "");
  const reload = await scheduled.tevcWait("now", "__ops_program-agent", "reload");
  expect(reload).toMatchObject({ code: 0 });
  expect(await scheduled.tevcWait("now", "p", "run")).toMatchObject({ code: 6 });
  expect(readFileSync(inDirectory("logs/p.out"), "utf8")).toBe(`good night\n${user}\n`);
  expect(await scheduled.tevcWait("now", "r", "run")).toMatchObject({ code: 0 });
});

test("goes to the background, writes its log, and for root its pid", async () => {
  const log = inDirectory("log");
  const begun = await run("program-agent", ["-v", "a", ...agentArguments("-l", log)]);
  expect(begun).toMatchObject({ code: 0, stdout: "", stderr: "" });
  await scheduled.served("p");
  // Between the agent and a program is who says what the program has used.
  const command = "COMMAND=exec sh -c 'ps -o ppid= -p $PPID; exit 3'";
  const ran = await scheduled.tevcWait("now", "p", "run", command);
  expect(ran).toMatchObject({ code: 3 });
  const pid = Number(readFileSync(inDirectory("logs/p.out"), "utf8"));
  if (isRoot) {
    expect(readFileSync(inDirectory("pid"), "utf8")).toBe(`${pid}\n`);
    const { uid } = statSync(inDirectory("logs"));
    const status = readFileSync(`/proc/${pid}/status`, "utf8");
    expect(/^Uid:\t(.*)$/m.exec(status)?.[1]).toBe([uid, uid, uid, uid].join("\t"));
    expect(/^Groups:\t(.*)$/m.exec(status)?.[1]?.split(" ")).not.toContain("0");
  } else expect(existsSync(inDirectory("pid"))).toBe(false);
  expect(readFileSync(log, "utf8")).toMatch(/^\d{4}-\S+ \S+ obeying for 3 programs of pp\/ee\n/);
  process.kill(pid, "SIGTERM");
  await until("it has ended", () => !existsSync(`/proc/${pid}`));
});

test("says what is wrong where it was called, with its status", async () => {
  const config = inDirectory("config");
  const argv = ["-e", experiment, "-c", config];
  const tell = async (...words: readonly string[]) => {
    const { code, stderr } = await run("program-agent", words);
    return { code, stderr };
  };
  const lost = await tell("-e", experiment, "-c", inDirectory("none"));
  expect(lost).toEqual({ code: 255, stderr: expect.stringContaining("cannot read") });
  writeFileSync(config, "nonsense\n");
  expect(await tell(...argv)).toEqual({ code: 1, stderr: expect.stringContaining("malformed") });
  writeFileSync(config, "AGENT=p COMMAND='true'\n");
  const environment = inDirectory("environment");
  writeFileSync(environment, "nonsense\n");
  const malformed = await tell(...argv, "-u", user, "-f", environment);
  expect(malformed).toEqual({ code: 1, stderr: expect.stringContaining("environment:1") });
  const stranger = await tell(...argv, "-u", "no-such-user");
  expect(stranger).toEqual({ code: 255, stderr: expect.stringContaining("no-such-user") });
  if (!isRoot) return;
  expect(await tell(...argv)).toEqual({ code: 255, stderr: expect.stringContaining("-u or UID=") });
  expect(await tell(...argv, "-u", "root")).toMatchObject({ code: 255 });
});
