// SPDX-License-Identifier: MIT
// Goal: every TCP door of `muster serve` lets in who is in its networks and shows a certificate of
// its authority over TLS, and nobody else; what the doors hold and refuse is at /metrics; the link
// between controllers works over TLS, and its key is never sent. Method: all doors in this process,
// as the command opens them, at ports that the system chose.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect as connectTls } from "node:tls";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { readClientTls } from "../../../src/cli/client-tls.ts";
import type { ServeSettings } from "../../../src/cli/commands/serve-config.ts";
import { eventWorld } from "../../../src/cli/event-bus.ts";
import { type EventTlsArguments, withEventBus } from "../../../src/cli/event-party.ts";
import { systemClock } from "../../../src/host/clock.ts";
import { newSecret } from "../../../src/host/ids.ts";
import { initDirectory, issueFiles } from "../../../src/pki/index.ts";
import { encodeRequest } from "../../../src/wire/emulab-sync/index.ts";
import { encodeMessage } from "../../../src/wire/gnunet/index.ts";
import { hello, init } from "../gnunet/harness.ts";
import { init as syncInit, until, v2 } from "../syncd/harness.ts";
import { closeAll, openServer, whenOver } from "./open-server.ts";

let folder = "";
let tls = "";
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "muster-doors-"));
  tls = join(folder, "tls");
  const life = { days: 1, nowMs: systemClock.wallMs(), force: false };
  await initDirectory({ directory: tls, keyKind: "ec", ...life });
  for (const kind of ["server", "user"] as const) {
    await issueFiles({ directory: tls, kind, name: "localhost", san: ["127.0.0.1"], ...life });
  }
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

afterEach(closeAll);
const open = (settings: ServeSettings) => openServer(folder, settings);

type Manner = "shows a certificate" | "shows none" | "in clear" | "from elsewhere";

/** What somebody who calls in this manner is told until the answer is there, or the end. */
function call(port: number, manner: Manner, bytes: Buffer, answer: string): Promise<string> {
  const socket = dial(port, manner);
  let heard = "";
  return new Promise((resolve) => {
    socket.on("data", (chunk: Buffer) => {
      heard += chunk.toString("latin1");
      if (heard.includes(answer)) socket.destroy();
    });
    socket.on("error", () => undefined);
    socket.on("close", () => resolve(heard.includes(answer) ? "answered" : "nothing"));
    socket.write(bytes);
  });
}

function dial(port: number, manner: Manner): Socket {
  const host = "127.0.0.1";
  if (manner === "in clear") return connect({ host, port });
  const ca = readFileSync(join(tls, "ca.pem"));
  const pem = readFileSync(join(tls, "user/localhost.pem"));
  const shown = manner === "shows none" ? {} : { cert: pem, key: pem };
  if (manner !== "from elsewhere") return connectTls({ host, port, ca, ...shown });
  const socket = connect({ host, port, localAddress: "127.0.0.9" });
  return connectTls({ socket, host, ca, ...shown });
}

const http = (path: string) =>
  Buffer.from(`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n`);
const doors: readonly (readonly [string, Buffer, string])[] = [
  ["http", http("/healthz"), "200 OK"],
  ["events", http("/healthz"), "200 OK"],
  ["boss-events", http("/healthz"), "200 OK"],
  ["testground", http("/"), "426 Upgrade"],
  ["syncd", Buffer.from(encodeRequest(syncInit(1, false), v2)), "\0\0\0\0"],
  ["gnunet", Buffer.concat([hello, init("b", 0)].map(encodeMessage)), "\x01\xe6\0\x01\0\x01b\0"],
  ["gnunet-barrier", Buffer.from([0, 5, 1, 0xe7, 0x78]), "\x01\xe6\0\x03\0\x01x\0"],
  ["controllers", Buffer.from("{".repeat(16)), '"kind":"challenge"'],
];
const services: Readonly<Record<string, string>> = {
  gnunet: "testbed",
  "gnunet-barrier": "testbed-barrier",
  controllers: "controllers may join muster",
};

describe("every TCP door", () => {
  it("lets in over TLS who shows a certificate and is in its networks, and nobody else", async () => {
    const listen = doors.map(([edge]) => `${edge}=0,client-certs,allow=127.0.0.1`);
    const { portOf, logger } = await open({ listen, tls });
    for (const [edge, bytes, answer] of doors) {
      const port = portOf(services[edge] ?? `^${edge}`);
      const told = (manner: Manner) => call(port, manner, bytes, answer);
      expect([edge, await told("shows a certificate")]).toEqual([edge, "answered"]);
      const others = ["shows none", "in clear", "from elsewhere"] as const;
      expect([edge, ...(await Promise.all(others.map(told)))]).toEqual([
        ...[edge, "nothing", "nothing", "nothing"],
      ]);
      expect(logger.count(`the ${edge} door has turned 127.0.0.9 away`)).toBe(1);
    }
  });
});

describe("quotas", () => {
  it.each([
    ["testbed", "gnunet", "gnunetConnectionsPerClientMax"],
    ["controllers may join muster", "controllers", "gnunetControllersMax"],
  ])(
    "%s: a connection beyond its bound is closed, and there is room when one is gone",
    async (place, edge, limit) => {
      const { portOf, logger } = await open({ listen: [`${edge}=0`], limit: [`${limit}=2`] });
      const come = () => {
        const socket = connect(portOf(place), "127.0.0.1");
        return {
          socket,
          closed: new Promise<void>((resolve) => socket.once("close", () => resolve())),
        };
      };
      const [first, second] = [come(), come()];
      await come().closed;
      expect(logger.count(`refused 127.0.0.1: limit ${limit} (2) reached`)).toBe(1);
      first.socket.destroy();
      await first.closed;
      const [, bytes, answer] = doors.find(([name]) => name === edge) ?? ["", Buffer.from(""), ""];
      await until(() => !second.socket.pending, "connected");
      // The server may take the next one before it knows of the end of the first.
      while ((await call(portOf(place), "in clear", bytes, answer)) !== "answered");
      second.socket.destroy();
    },
  );
});

describe("a door with TLS that is full", () => {
  it("cuts who has only connected for who shakes hands", async () => {
    const limit = ["gnunetControllersMax=2"];
    const { portOf } = await open({ listen: ["controllers=0,tls"], tls, limit });
    const port = portOf(services["controllers"] ?? "");
    const silent = [1, 2].map(() => connect(port, "127.0.0.1").resume());
    await until(() => silent.every(({ pending }) => !pending), "connected");
    const [, bytes, answer] = doors.at(-1) ?? ["", Buffer.from(""), ""];
    expect(await call(port, "shows none", bytes, answer)).toBe("answered");
    await until(() => silent[0]?.destroyed === true, "cut");
    for (const socket of silent) socket.destroy();
  });
});

/** A way to the port that keeps what is said in it. */
async function overhear(port: number) {
  const said: Buffer[] = [];
  const server = createServer((client) => {
    const far = connect({ host: "127.0.0.1", port });
    for (const [from, to] of [
      [client, far],
      [far, client],
    ] as const) {
      from.on("data", (chunk: Buffer) => {
        said.push(chunk);
        to.write(chunk);
      });
      from.on("error", () => undefined);
      from.on("close", () => to.destroy());
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  whenOver(() => void server.close());
  const address = server.address();
  const at = typeof address === "object" ? (address?.port ?? 0) : 0;
  return { port: at, text: () => Buffer.concat(said).toString("latin1"), chunks: said };
}

describe("the link between controllers", () => {
  const joining = services["controllers"] ?? "";

  it("never carries its key, nor what would do in its place", async () => {
    const top = await open({ listen: ["controllers=0"] });
    const wire = await overhear(top.portOf(joining));
    const keyFile = join(top.directory, "controllers.key");
    const key = readFileSync(keyFile, "utf8").trim();
    const parent = `muster@127.0.0.1:${wire.port}`;
    const low = await open({ name: "low", parent, parentKey: keyFile });
    await until(() => low.said.count("low has joined muster") === 1, "joined");
    expect(wire.text()).toContain('"proof":"');
    expect(wire.text()).not.toContain(key);
    // The hello of one connection is of no use on another.
    const hello = wire.chunks.find((chunk) => chunk.includes('"kind":"hello"')) ?? Buffer.from("");
    const again = await call(top.portOf(joining), "in clear", hello, "its key is another one");
    expect(again).toBe("answered");
  });

  it("says at which end the key is wrong", async () => {
    const top = await open({ listen: ["controllers=0"] });
    const wrong = join(folder, "wrong.key");
    writeFileSync(wrong, newSecret());
    const parent = `muster@127.0.0.1:${top.portOf(joining)}`;
    const low = await open({ name: "low", parent, parentKey: wrong });
    await until(() => low.logger.count("its key is another one") > 0, "refused");
    // Somebody else listens there, and lets everybody in.
    const impostor = createServer((socket) => {
      socket.write('{"kind":"challenge","nonce":"00"}\n');
      socket.once("data", () => socket.write('{"kind":"welcome","lastBatch":0,"proof":"00"}\n'));
      socket.on("error", () => undefined);
    });
    await new Promise<void>((resolve) => impostor.listen(0, "127.0.0.1", resolve));
    whenOver(() => void impostor.close());
    const address = impostor.address();
    const at = typeof address === "object" ? (address?.port ?? 0) : 0;
    const lost = await open({ name: "lost", parent: `muster@127.0.0.1:${at}`, parentKey: wrong });
    await until(() => lost.logger.count("does not have the key") === 1, "known for what it is");
    expect(lost.said.lines).toEqual([]);
  });

  it("speaks TLS with a certificate at both ends, and says when the authority is another", async () => {
    const top = await open({ listen: ["controllers=0,client-certs"], tls });
    const parent = `muster@127.0.0.1:${top.portOf(joining)}`;
    const parentKey = join(top.directory, "controllers.key");
    const parentCert = join(tls, "user/localhost.pem");
    const common = { parent, parentKey, parentCert };
    const low = await open({ ...common, name: "low", parentCa: join(tls, "ca.pem") });
    await until(() => low.said.count("low has joined muster") === 1, "joined");
    const other = await open({
      ...common,
      name: "other",
      parentCa: join(tls, "user/localhost.crt"),
    });
    await until(() => other.logger.count("muster cannot be reached: ") === 1, "refused");
    expect(other.said.lines).toEqual([]);
  });
});

describe("muster event", () => {
  it("reaches a door over TLS, and says what is wrong when it does not", async () => {
    const { portOf } = await open({ listen: ["events=0,client-certs"], tls });
    const at = (scheme: string) => `${scheme}://127.0.0.1:${portOf("^events")}`;
    const party = { pid: "p", eid: "e", directory: undefined };
    const ask = (server: string, files: EventTlsArguments) => {
      const argv = { id: "p/e", server, waitForServer: 0, ...files };
      return withEventBus(argv, party, eventWorld, async () => "there").catch(String);
    };
    const [ca, cert] = [join(tls, "ca.pem"), join(tls, "user/localhost.pem")];
    expect(await ask(at("https"), { ca, cert })).toBe("there");
    const own = {
      ca,
      cert: join(tls, "user/localhost.crt"),
      certKey: join(tls, "user/localhost.key"),
    };
    expect(await ask(at("wss"), own)).toBe("there");
    const foreign = { ca: own.cert, cert };
    expect(await ask(at("https"), foreign)).toContain("--ca or MUSTER_CA names who has signed");
    expect(await ask(at("http"), { ca, cert })).toContain("no bus answers");
    expect(await ask(at("https"), { certKey: cert })).toContain("give --cert FILE");
    expect(await ask(at("https"), { ca: "/nowhere" })).toContain("cannot read /nowhere");
  });

  it("takes the files of the environment, and those of its options before them", () => {
    const files = { MUSTER_CA: join(tls, "ca.pem"), MUSTER_CERT: join(tls, "user/localhost.pem") };
    const found = readClientTls({}, files);
    expect(found.ca).toContain("CERTIFICATE");
    expect([found.certificate, found.key]).toEqual(Array(2).fill(expect.stringContaining("KEY")));
    const other = readClientTls({ cert: join(tls, "user/localhost.crt") }, files);
    expect(other.certificate).not.toContain("KEY");
    expect(readClientTls({}, {})).toEqual({});
  });
});
