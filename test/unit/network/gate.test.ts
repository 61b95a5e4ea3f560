// SPDX-License-Identifier: MIT
// Goal: what a gate opens is closed with it, also what comes after that (G3): a socket of a run
// that is over would keep the whole process. Method: processes that close a gate while the real
// program opens sockets for it (UNIX ones, in the network of this test), and have to end by
// themselves.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { afterEach, expect, it } from "vitest";

const source = (name: string): string =>
  JSON.stringify(fileURLToPath(new URL(`../../../src/${name}`, import.meta.url)));
const started: ChildProcess[] = [];

afterEach(() => {
  for (const child of started.splice(0)) child.kill("SIGKILL");
});

/** @param script has `gate`, for which `wish` is opened, whatever it wants */
async function endOf(script: string, wish: string): Promise<string> {
  const text = `import { fork } from "node:child_process";
    import { systemClock } from ${source("host/clock.ts")};
    import { Gate } from ${source("network/gate.ts")};
    const one = { kind: "unix", name: "muster-gate-" + process.pid };
    const udp = { kind: "bare-udp", address: "127.0.0.1", port: 0 };
    const hub = { pid: process.pid };
    const options = { execArgv: [], stdio: ["ignore", "ignore", "pipe", "ipc"] };
    const start = () => fork(${source("network/gate-helper.ts")}, [JSON.stringify(${wish})], options);
    const commands = { hub, fork: start };
    const gate = new Gate({ commands, control: {}, block: 1, clock: systemClock });
    const port = { kind: "tcp", port: 1, behind: "called" };
    const said = ({ name, message }) => console.log(name + ": " + message);
    ${script}`;
  const argv = ["--disable-warning=ExperimentalWarning", "--input-type=module", "--eval", text];
  const child = spawn(process.execPath, argv, { stdio: ["ignore", "pipe", "inherit"] });
  started.push(child);
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
    output += chunk;
  });
  const [code] = (await once(child, "close")) as [number | null];
  return `${output}status ${code}`;
}

it.each([
  ["a port of the run", "gate.open([port])", "[one]", ""],
  ["a server in a node", 'gate.listenIn(hub, "", () => undefined)', "[one]", ""],
  [
    "a socket for a thread",
    "gate.openBare(hub, udp)",
    "[udp]",
    "NetworkError: the run is ending\n",
  ],
])("a gate that is closed meanwhile closes %s", async (_what, open, wish, says) => {
  const script = `const opened = ${open}.catch(said); gate.close(); await opened;`;
  expect(await endOf(script, wish)).toBe(`${says}status 0`);
});

it("a gate that gets only some of its sockets closes these", async () => {
  const output = await endOf("await gate.open([port, port]).catch(said);", "[one, one]");
  expect(output).toMatch(/^NetworkError: .*EADDRINUSE.*\nstatus 0$/);
});
