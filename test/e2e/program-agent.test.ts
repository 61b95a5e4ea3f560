// SPDX-License-Identifier: MIT
// Goal: program-agent as a command: runs programs as events over a door say, answers, and hands a
// RELOAD to its successor with status 45. Method: a bus with a door in this process.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { systemClock } from "../../src/host/clock.ts";
import {
  attributeNames,
  createNotification,
  getText,
  int32Attribute,
  textAttribute,
} from "../../src/wire/event/notification.ts";
import { BusDoorBench } from "../unit/bus/bus-bench.ts";
import { credentialsWith, experiment, key } from "../unit/events/fake-scheduler.ts";
import { type Command, run, scratch, start, until } from "./support/command.ts";

let bench: BusDoorBench;
let directory: string;
let answers: string[];
const credentials = credentialsWith(key, () => BigInt(systemClock.wallMs()) * 1000n);

beforeEach(async () => {
  bench = await new BusDoorBench({}).start();
  directory = scratch();
  answers = [];
  writeFileSync(join(directory, "key"), key);
  const command = "echo $GREETING; exit 3";
  writeFileSync(
    join(directory, "config"),
    `ENV GREETING=hello\nAGENT=p0 COMMAND='${command}'\nAGENT=p1 COMMAND='exec sleep 1000'\n`,
  );
  await bench.memory.subscribe(
    { address: { eventtype: "COMPLETE", scheduler: 1 }, slow: "end" },
    {
      onNotifications: (placed) => {
        for (const { notification } of placed) {
          expect(credentials.verify(notification)).toBe(true);
          const text = (name: string) => getText(notification, name);
          answers.push(`${text(attributeNames.objname)}${text(attributeNames.args)}`);
        }
      },
      onGap: () => undefined,
      onEnd: () => undefined,
    },
  );
});
afterEach(() => bench.close());

function startAgent(): Command {
  const [host = "", port = ""] = bench.url.replace("http://", "").split(":");
  const files = ["-c", "config", "-k", "key", "-o", "logs", "-t", "token"];
  const argv = files.map((word) => (word.startsWith("-") ? word : join(directory, word)));
  const where = ["-d", "-s", host, "-p", port, "-e", experiment, "-v", "n0"];
  return start("program-agent", [...where, ...argv]);
}

/** Sends until somebody hears it: the agent is on its way. */
async function send(objname: string, eventtype: string, token: number): Promise<void> {
  const address = {
    expt: experiment,
    objtype: "PROGRAM",
    objname,
    eventtype,
    scheduler: 0,
  } as const;
  const extra = [
    textAttribute(attributeNames.args, ""),
    int32Attribute(attributeNames.token, token),
  ];
  const plain = createNotification(address, { sender: "192.0.2.1", layout: "2011", extra });
  for (;;) {
    const { matched } = await bench.memory.publish(credentials.sign(plain));
    if (matched > 0) return;
    await new Promise(setImmediate);
  }
}

test("runs programs, answers with their exit codes, and reloads with status 45", async () => {
  const agent = startAgent();
  await send("p0", "START", 7);
  await until("p0 is answered", () => answers.length === 1);
  expect(answers).toEqual(["p0 ERROR=3 CTOKEN=7"]);
  expect(readFileSync(join(directory, "logs/p0.out"), "utf8")).toBe("hello\n");
  expect(readFileSync(join(directory, "logs/p0.status"), "utf8")).toContain("EXIT_CODE=3\n");
  await send("p1", "START", 8);
  await send("__n0_program-agent", "RELOAD", 9);
  expect((await agent.ended).code).toBe(45);
  expect(readFileSync(join(directory, "token"), "utf8")).toBe("9\n");

  const next = startAgent();
  await until("the reload is answered", () => answers.some((text) => text.endsWith("CTOKEN=9")));
  await until("the token is taken away", () => !existsSync(join(directory, "token")));
  next.child.kill("SIGTERM");
  expect((await next.ended).code).toBe(0);
});

test("says with its status what it cannot do", async () => {
  const config = join(directory, "config");
  const argv = ["-e", experiment, "-c", config];
  const background = await run("program-agent", argv);
  expect([background.code, background.stderr]).toEqual([1, expect.stringContaining("NOT_YET")]);
  const lost = await run("program-agent", ["-d", "-e", experiment, "-c", join(directory, "none")]);
  expect([lost.code, lost.stderr]).toEqual([255, expect.stringContaining("cannot read")]);
  writeFileSync(config, "nonsense\n");
  const bad = await run("program-agent", ["-d", ...argv]);
  expect([bad.code, bad.stderr]).toEqual([1, expect.stringContaining("malformed")]);
});
