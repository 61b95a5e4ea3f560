// SPDX-License-Identifier: MIT
// Goal: nothing that a client sends or does harms anybody else: one clear line about it, the exit
// status of the manual page, and a good barrier on the same server is crossed while it goes on.
// Method: bin/emulab-syncd and bin/emulab-sync, and raw sockets for what our client never sends.
import { connect, type Socket } from "node:net";
import { describe, expect, test } from "vitest";
import { type Command, run, start } from "./support/command.ts";
import { nodesWith, runBody, sh } from "./support/experiment.ts";

interface Server {
  readonly command: Command;
  readonly address: string;
  readonly port: number;
}

let servers = 0;

/** A server of this test's own: an address nobody else has, a port that is free there. */
async function startServer(): Promise<Server> {
  servers += 1;
  const address = `127.93.${process.pid % 250}.${servers}`;
  const command = start("emulab-syncd", ["-d", "--listen", address]);
  const [, port] = await command.prints(/listening on port (\d+) of/);
  return { command, address, port: Number(port) };
}

const sync = ({ address, port }: Server, ...argv: readonly string[]) =>
  run("emulab-sync", ["-s", address, "-p", String(port), ...argv]);

/** Two clients meet at `name`. */
async function expectGoodBarrier(server: Server, name = "good"): Promise<void> {
  const both = await Promise.all([sync(server, "-n", name, "-i", "1"), sync(server, "-n", name)]);
  expect(both.map(({ code }) => code)).toEqual([0, 0]);
}

function request(word: number, name: string, count = 0): Buffer {
  const bytes = Buffer.alloc(76);
  bytes.write(name, 0, 64, "latin1");
  bytes.writeInt16LE(word, 64);
  bytes.writeInt32LE(count, 68);
  return bytes;
}

async function open({ address, port }: Server): Promise<Socket> {
  const socket = connect(port, address);
  await new Promise((resolve, reject) => {
    socket.once("connect", resolve);
    socket.once("error", reject);
  });
  socket.on("error", () => undefined);
  return socket;
}

/** Sends, and resolves with what came back when the server has closed. */
async function send(server: Server, bytes: Buffer): Promise<string> {
  const socket = await open(server);
  const received: Buffer[] = [];
  socket.on("data", (chunk: Buffer) => received.push(chunk));
  const closed = new Promise((resolve) => {
    socket.once("close", resolve);
  });
  socket.write(bytes);
  await closed;
  return Buffer.concat(received).toString("hex");
}

const logLines = ({ command }: Server, pattern: RegExp): readonly string[] =>
  command.stderr.split("\n").filter((line) => pattern.test(line));

describe("emulab-sync refuses with 64 and the usage", () => {
  test.each([
    [["-n", "n".repeat(64)], `Error: -n value is too long: ${"n".repeat(64)}`],
    [["-n", ""], "Error: -n value is empty"],
    [["-i", "0"], "Error: -i value must be greater than zero: 0"],
    [["-i", "-1"], "Error: -i value must be greater than zero: -1"],
    [["-i", "many"], "Error: -i value is not a number: many"],
    [["-e", "240"], "Error: -e value must be zero or less than 240"],
    [["-a"], "Error: -a requires the -i option"],
    [["--timeout", "soon"], "Error: --timeout"],
  ])("%j", async (argv, message) => {
    const { code, stdout, stderr } = await run("emulab-sync", [...argv, "-s", "127.0.0.1"]);
    expect({ code, stdout }).toEqual({ code: 64, stdout: "" });
    expect(stderr.startsWith(message)).toBe(true);
    expect(stderr).toContain("usage: emulab-sync [options]");
  });

  test("a count of 2^31, which the wire cannot carry", async () => {
    const server = await startServer();
    const { code, stderr } = await sync(server, "-i", "2147483648");
    expect({ code, said: stderr.split("\n")[0] }).toMatchObject({
      code: 64,
      said: expect.stringMatching(/^Error: -i value .*2147483648/),
    });
  });
});

describe("while a good barrier is crossed, the server", () => {
  test.each([
    { what: "refuses request word 7", bytes: request(7, "bad"), log: /request word 7|request 7/ },
    { what: "refuses an init of 0", bytes: request(1, "bad", 0), log: /bad request/i },
    { what: "refuses an init of -1", bytes: request(1, "bad", -1), log: /bad request/i },
    { what: "refuses 1 MB of garbage", bytes: Buffer.alloc(1e6, 0xa5), log: /bad request/i },
  ])("$what", async ({ bytes, log }) => {
    const server = await startServer();
    const [answer] = await Promise.all([send(server, bytes), expectGoodBarrier(server)]);
    expect(answer).toBe("");
    await server.command.prints(log);
    expect(logLines(server, log)).toHaveLength(1);
    // Nothing was counted: the name is as new.
    await expectGoodBarrier(server, "bad");
  });

  test("cuts a name of 64 bytes without an end to 63, for everybody alike", async () => {
    const server = await startServer();
    const name = "n".repeat(64);
    const master = send(server, request(1, name, 1));
    await server.command.prints(/initialised by/);
    const [client] = await Promise.all([
      sync(server, "-n", name.slice(1)),
      expectGoodBarrier(server),
    ]);
    expect(client.code).toBe(0);
    expect(await master).toBe("00000000");
  });

  test("takes the largest count, and refuses the sum that passes it", async () => {
    const server = await startServer();
    const socket = await open(server);
    socket.write(request(1, "huge", 2 ** 31 - 1));
    await server.command.prints(/initialised by/);
    const [second] = await Promise.all([
      send(server, request(1, "huge", 1)),
      expectGoodBarrier(server),
    ]);
    expect(second).toBe("");
    await server.command.prints(/2147483647/);
    socket.destroy();
  });

  test("does not wait for who sends half a request", async () => {
    const server = await startServer();
    const stalled = await open(server);
    stalled.write(request(2, "half").subarray(0, 40));
    await expectGoodBarrier(server);
    stalled.destroy();
    await server.command.prints(/abort/i);
  });

  test("uncounts who vanishes while it waits", async () => {
    const server = await startServer();
    const gone = await open(server);
    gone.write(request(2, "meet"));
    await server.command.prints(/'meet': waiter/);
    gone.destroy();
    await server.command.prints(/removing/i);
    // Would it still count, the master would cross with nobody.
    const master = sync(server, "-n", "meet", "-i", "1", "--timeout", "1");
    expect((await master).code).not.toBe(0);
    await expectGoodBarrier(server, "meet");
  });
});

describe("a port that is in use", () => {
  test("ends a server that was told to take it, and not the one that has it", async () => {
    const server = await startServer();
    const argv = ["-d", "--listen", server.address, "-p", String(server.port)];
    const second = await run("emulab-syncd", argv);
    expect(second.code).toBe(1);
    expect(second.stderr).toMatch(
      /port \d+ on 127\.\S+ is in use; stop the server that has it or choose another port with -p\n/,
    );
    expect(second.stderr.trimEnd().split("\n")).toHaveLength(1);
    await expectGoodBarrier(server);
  });

  test("makes a server without -p take another", async () => {
    const server = await startServer();
    const second = start("emulab-syncd", ["-d", "--listen", server.address]);
    const [, port] = await second.prints(/listening on port (\d+) of/);
    expect(Number(port)).not.toBe(server.port);
  });
});

test("in a run, a program with a bad request fails alone", async () => {
  const long = "n".repeat(64);
  const { result, code, text } = await runBody(
    nodesWith(
      sh(`emulab-sync -n ${long}`),
      sh("emulab-sync -n meet -i 1"),
      sh("sleep 0.2; emulab-sync -n meet"),
    ),
  );
  expect(code).toBe(1);
  expect(result.endedBy).toBe("idle");
  expect(result.programs.map(({ exitCode }) => exitCode).sort()).toEqual([0, 0, 64]);
  expect(result.barriers).toMatchObject([{ name: "meet", outcome: "crossed" }]);
  expect(result.reasons).toHaveLength(1);
  expect(text("nodes/n0/local/logs/n0_startcmd.err")).toContain("-n value is too long");
});
