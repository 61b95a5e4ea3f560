// SPDX-License-Identifier: MIT
// Goal: emulab-sync, curl, `muster barrier` and the packaged client library meet at one barrier of
// `muster serve`; a session lives through connections that are cut inside any byte, and through a
// server that is killed and started again on its log; tokens work from the command line. Method:
// real commands in processes of their own, a proxy that cuts, ports that the system chose.
import { rmSync } from "node:fs";
import { connect as connectSocket, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { connect, type Session } from "../../src/client/index.ts";
import { Random } from "../../src/core/random.ts";
import { Command, repository, scratch } from "./support/command.ts";

const bin = (name: string): string => join(repository, "bin", name);

interface Server {
  readonly command: Command;
  readonly state: string;
  readonly url: string;
  readonly syncPort: string;
}

async function serve(state: string, more: readonly string[] = []): Promise<Server> {
  const listen = ["--listen", "http=127.0.0.1:0", "--listen", "syncd=127.0.0.1:0,scope=p/e"];
  const command = new Command(bin("muster"), ["serve", "--state", state, ...listen, ...more]);
  const [, url = ""] = await command.prints(/http at (https?:\S+),/);
  const [, syncPort = ""] = await command.prints(/syncd at 127\.0\.0\.1:(\d+), scope p\/e/);
  return { command, state, url, syncPort };
}

const curl = (...argv: readonly string[]): Command =>
  new Command("curl", ["--silent", "--show-error", "--max-time", "60", ...argv]);

const muster = (argv: readonly string[], env: Record<string, string> = {}): Command =>
  new Command(bin("muster"), argv, { env });

/** Resolves when so many wait at the barrier. */
async function arrived(session: Session, barrier: string, count: number): Promise<void> {
  for (;;) {
    const { barriers } = await session.describe(barrier);
    if (barriers[0]?.arrived === count) return;
  }
}

describe("muster serve --listen", () => {
  it("says what its log survives", async () => {
    const inFile = `sqlite:${join(scratch(), "core.log")}`;
    const said = [
      [[], "log in memory: lost when the process ends"],
      [
        ["--log", inFile],
        `log at ${inFile}: SQLite, WAL, synchronous=FULL: survives a crash of process and machine`,
      ],
    ] as const;
    for (const [log, line] of said) {
      const { command } = await serve(scratch(), log);
      expect(command.stdout).toContain(`muster: ${line}\n`);
    }
  });

  it("opens several doors of a kind at ports that the system chooses", async () => {
    const twice = ["http=127.0.0.1:0", "syncd=127.0.0.1:0,scope=q"];
    const { command, url } = await serve(
      scratch(),
      twice.flatMap((one) => ["--listen", one]),
    );
    const [, second = ""] = await command.prints(/syncd at 127\.0\.0\.1:(\d+), scope q/);
    const first = /syncd at 127\.0\.0\.1:(\d+), scope p\/e/.exec(command.stdout)?.[1] ?? "";
    const urls = [...command.stdout.matchAll(/http at (\S+),/g)].map(([, found = ""]) => found);
    expect(urls).toHaveLength(2);
    expect(urls).toContain(url);
    for (const port of [first, second]) {
      const sync = (...more: readonly string[]): Command =>
        new Command(bin("emulab-sync"), ["-s", "127.0.0.1", "-p", port, "-n", "x", ...more]);
      const [waiter, master] = [sync(), sync("-i", "1")];
      expect(await Promise.all([waiter.ended, master.ended])).toMatchObject([
        { code: 0 },
        { code: 0 },
      ]);
    }
    for (const one of urls) {
      await using session = await connect(one, { scope: "r" });
      await session.countBarrier(`at ${one}`).init(1);
      expect(await session.countBarrier(`at ${one}`).wait()).toMatchObject({ error: 0 });
    }
    expect(command.stderr).not.toContain("refuses");
  });

  it("lets emulab-sync, curl, muster barrier and the client library meet at one barrier", async () => {
    const { url, syncPort } = await serve(scratch());
    await using session = await connect(url, { scope: "p/e", name: "library" });
    await session.countBarrier("start").init(4);
    const byLibrary = session.countBarrier("start").wait({ error: 2 });
    const bySync = new Command(bin("emulab-sync"), [
      ...["-s", "127.0.0.1", "-p", syncPort, "-n", "start"],
    ]);
    const byCurl = curl("-X", "POST", `${url}/v1/barriers/start/wait?scope=p%2Fe`);
    await arrived(session, "start", 3);
    const { barriers } = await session.describe("start");
    expect(barriers[0]).toMatchObject({ expected: 4, count: 1, missing: ["1 more, anonymous"] });
    const byCommand = muster(["barrier", "wait", "start", "--server", url, "--scope", "p/e"]);
    expect(await byLibrary).toEqual({ generation: 1, error: 2 });
    expect(await bySync.ended).toMatchObject({ code: 2 });
    expect(JSON.parse((await byCurl.ended).stdout)).toEqual({
      ...{ outcome: "crossed", generation: 1, error: 2 },
    });
    expect(await byCommand.ended).toMatchObject({
      code: 1,
      stdout: "start: crossed with error 2\n",
    });
  });

  it("carries notifications between those who come through the http door", async () => {
    const { url } = await serve(scratch());
    const listener = curl("--no-buffer", `${url}/v1/notifications?scheduler=all`);
    const attributes = [{ name: "EXPT", type: "string", value: "p/e" }];
    const body = JSON.stringify({ attributes });
    for (;;) {
      const sent = await curl("-X", "POST", `${url}/v1/notifications`, "--data", body).ended;
      if ((JSON.parse(sent.stdout) as { readonly matched?: number }).matched === 1) break;
    }
    await listener.prints(/p\/e/);
  });

  it("curl that is ended leaves the barrier; so does muster barrier wait", async () => {
    const { url } = await serve(scratch());
    await using session = await connect(url);
    const waits = [
      curl("-X", "POST", `${url}/v1/barriers/b/wait`),
      muster(["barrier", "wait", "b", "--server", url]),
    ];
    await arrived(session, "b", 2);
    for (const wait of waits) wait.child.kill("SIGINT");
    for (;;) if ((await session.describe("b")).barriers.length === 0) break;
    expect((await waits[1]?.ended)?.code).toBe(130);
  });

  it("a session goes on when the server is killed and started again on its log", async () => {
    const state = scratch();
    const log = ["--log", `sqlite:${join(state, "core.log")}`];
    const first = await serve(state, log);
    const port = new URL(first.url).port;
    await using session = await connect(first.url, { scope: "p/e", leaseMs: 60_000 });
    await session.countBarrier("b").init(3);
    const wait = session.countBarrier("b").wait({ name: "survivor" });
    const person = muster(["barrier", "wait", "b", "--server", first.url, "--scope", "p/e"]);
    await arrived(session, "b", 2);
    first.command.child.kill("SIGKILL");
    await first.command.ended;
    await person.prints(/^muster: the connection to the server is lost; trying again for 30 s/m);
    const argv = ["serve", "--state", state, "--listen", `http=127.0.0.1:${port}`, ...log];
    const second = muster(argv);
    await second.prints(/http at/);
    await (await connect(first.url, { scope: "p/e" })).countBarrier("b").wait();
    expect(await wait).toEqual({ generation: 1, error: 0 });
    expect(await person.ended).toMatchObject({
      ...{ code: 0, stdout: "b: crossed\n" },
      stderr: expect.stringMatching(
        /^muster: the connection .*\nmuster: the server is there again\n$/,
      ),
    });
  });

  it("ends when it cannot open a door, or its topics are not those of its log, and says why", async () => {
    const state = scratch();
    const log = join(scratch(), "core.db");
    const argv = ["serve", "--state", state, "--log", `sqlite:${log}`];
    const first = await serve(state, ["--log", `sqlite:${log}`]);
    const { port } = new URL(first.url);
    const at = ["--state", scratch(), "--listen", `http=127.0.0.1:${port}`];
    const taken = muster(["serve", ...at]);
    expect(await taken.ended).toMatchObject({ code: 73 });
    expect(taken.stderr).toContain("EADDRINUSE");
    expect(taken.stderr).not.toContain("bus");
    await curl("-X", "POST", `${first.url}/v1/topics/t`, "--data", '{"message":1}').ended;
    first.command.child.kill("SIGKILL");
    await first.command.ended;
    for (const tail of ["", "-wal"]) rmSync(`${log}.topics${tail}`, { force: true });
    const lost = muster([...argv, "--listen", "http=127.0.0.1:0"]);
    expect(await lost.ended).toMatchObject({ code: 73 });
    expect(lost.stderr).toContain("restore both together");
  });

  it("muster token makes, lists and revokes what the door asks for", async () => {
    const { url, state, command } = await serve(scratch());
    const token = async (...argv: readonly string[]) =>
      (await muster(["token", ...argv, "--state", state]).ended) ?? { stdout: "" };
    const bare = await curl(`${url}/v1/barriers`).ended;
    expect(JSON.parse(bare.stdout)).toMatchObject({ barriers: [] });
    const made = await token(
      "create",
      "--role",
      "driver",
      "--scope",
      "p/e",
      "--note",
      "for a test",
    );
    const secret = made.stdout.trim();
    expect(JSON.parse((await curl(`${url}/v1/barriers`).ended).stdout)).toMatchObject({
      ...{ code: "unauthorized", definite: true },
    });
    const env = { MUSTER_TOKEN: secret, MUSTER_SERVER: url };
    expect(await muster(["barrier", "init", "b", "1"], env).ended).toMatchObject({ code: 0 });
    const shown = await muster(["barrier", "ls", "--json"], env).ended;
    expect(JSON.parse(shown.stdout)).toMatchObject([{ name: "b", scope: "p/e", count: 1 }]);
    expect(await muster(["barrier", "cancel", "b"], env).ended).toMatchObject({ code: 0 });
    await command.prints(/audit: cancel barrier "b" of scope "p\/e", by token \w+ \(driver\)/);
    const [{ id = "" } = {}] = JSON.parse((await token("ls", "--json")).stdout) as { id: string }[];
    expect(secret).toContain(id);
    await token("revoke", id);
    expect(await muster(["barrier", "ls"], env).ended).toMatchObject({ code: 77 });
    expect(command.stdout + command.stderr).not.toContain(secret);
  });

  it.each([
    [["--listen", "teapot=1.2.3.4:5"], "teapot"],
    [["--listen", "http=nowhere:1"], "http=127.0.0.1:8470"],
    [["--listen", "http=127.0.0.1:65536"], "65536"],
    [["--listen", "http", "--tls-cert", "/none"], "--tls-key"],
    [["--listen", "http", "--http-client-certs"], "--tls-ca"],
    [["--listen", "http", "--limit", "colour=1"], "colour=1"],
    [["--listen", "http=127.0.0.1:0", "--log", "paper"], "sqlite:FILE"],
  ])("refuses %j and says what to write", async (argv, hint) => {
    const { code, stderr } = await muster(["serve", "--state", scratch(), ...argv]).ended;
    expect(code).not.toBe(0);
    expect(stderr).toContain(hint);
    expect(stderr).not.toContain("fault in Muster");
  });
});

describe("the http door with TLS", () => {
  /** Certificates of an authority, of a server and of a user, and the options that name them. */
  async function certificates() {
    const dir = scratch();
    for (const argv of [["init"], ["issue", "server", "localhost"], ["issue", "user", "alice"]]) {
      const { code, stderr } = await muster(["cert", ...argv, "--dir", dir]).ended;
      expect([code, stderr]).toEqual([0, expect.any(String)]);
    }
    const ca = join(dir, "ca.pem");
    const of = (name: string) => join(dir, `server/${name}`);
    const tls = ["--tls-cert", of("localhost.crt"), "--tls-key", of("localhost.key")];
    return { ca, tls };
  }

  const byName = (url: string): string => url.replace("127.0.0.1", "localhost");

  it("is used by muster barrier beside XML-RPC, which alone asks for certificates", async () => {
    const { ca, tls } = await certificates();
    const more = [...tls, "--tls-ca", ca, "--listen", "xmlrpc=127.0.0.1:0"];
    const { url } = await serve(scratch(), more);
    const listed = await muster(["barrier", "ls", "--server", byName(url), "--ca", ca]).ended;
    expect(listed).toMatchObject({ code: 0, stdout: "no barrier is open in scope default\n" });
    // Nobody waits for the end of connectTimeoutMs: what is wrong is said, and what to do.
    const stranger = await muster(["barrier", "ls", "--server", byName(url)]).ended;
    expect(stranger).toMatchObject({ code: 69, stderr: expect.stringContaining("--ca FILE") });
    expect(stranger.stderr).not.toContain("no server answers");
  });

  it("asks for certificates when told to, and says so to who has none", async () => {
    const { ca, tls } = await certificates();
    const { url } = await serve(scratch(), [...tls, "--tls-ca", ca, "--http-client-certs"]);
    const argv = ["barrier", "ls", "--server", byName(url), "--ca", ca];
    const { code, stderr } = await muster(argv).ended;
    expect([code, stderr]).toEqual([69, expect.stringContaining("--cert FILE")]);
  });

  it("is not taken for one in clear", async () => {
    const { url } = await serve(scratch());
    const server = url.replace("http:", "https:");
    const { code, stderr } = await muster(["barrier", "ls", "--server", server]).ended;
    expect([code, stderr]).toEqual([69, expect.stringContaining("speaks no TLS")]);
  });
});

describe("muster barrier --server", () => {
  it("takes HOST:PORT, also before the word, and refuses what is no address", async () => {
    const { url } = await serve(scratch());
    const place = url.replace("http://", "");
    expect(await muster(["barrier", "ls", "--server", place]).ended).toMatchObject({ code: 0 });
    expect(await muster(["barrier", "--server", place, "ls"]).ended).toMatchObject({ code: 0 });
    const wrong = await muster(["barrier", "ls", "--server", "ftp://x"]).ended;
    expect(wrong).toMatchObject({ code: 64, stderr: expect.stringContaining("HOST:PORT") });
  });
});

/** Passes bytes on, and cuts each connection after a number of them. */
async function cuttingProxy(port: number, bytesOf: () => number) {
  const open = new Set<Socket>();
  let cuts = 0;
  const server = createServer((client) => {
    const upstream = connectSocket(port, "127.0.0.1");
    let left = bytesOf();
    const cut = (): void => {
      client.destroy();
      upstream.destroy();
    };
    const pass = (to: Socket) => (chunk: Buffer) => {
      to.write(chunk.subarray(0, left));
      left -= chunk.length;
      if (left > 0) return;
      cuts += 1;
      cut();
    };
    client.on("data", pass(upstream));
    upstream.on("data", pass(client));
    for (const socket of [client, upstream]) {
      open.add(socket);
      socket.on("error", cut);
      socket.on("close", () => {
        open.delete(socket);
        cut();
      });
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  return {
    port: typeof address === "object" ? (address?.port ?? 0) : 0,
    cuts: () => cuts,
    close: () => {
      for (const socket of open) socket.destroy();
      server.close();
    },
  };
}

describe("a session through a proxy that cuts inside any byte", () => {
  it.each([1, 2, 3, 4])("Q2 loses and doubles nothing: seed %d", async (seed) => {
    const { url } = await serve(scratch());
    const random = new Random(seed);
    // A handshake and a hello take about 500 bytes each way; some connections do not get so far.
    const proxy = await cuttingProxy(Number(new URL(url).port), () => 200 + random.below(6_000));
    try {
      const through = `http://127.0.0.1:${proxy.port}`;
      const parties = 12;
      const rounds = 15;
      await using session = await connect(through, { connectTimeoutMs: 60_000, leaseMs: 60_000 });
      await using driver = await connect(url);
      const take = async (name: string): Promise<readonly string[]> => {
        const told: string[] = [];
        for (let round = 0; round < rounds; round += 1) {
          const { generation, error } = await session
            .countBarrier("again")
            .wait({ name, error: round });
          told.push(`${generation} ${error}`);
        }
        return told;
      };
      const all = Promise.all(Array.from({ length: parties }, (_, at) => take(`p${at}`)));
      for (let round = 0; round < rounds; round += 1) {
        await arrived(driver, "again", parties);
        await driver.countBarrier("again").init(parties);
      }
      // One crossing a round: somebody counted twice would open it early, one lost never.
      const expected = Array.from({ length: rounds }, (_, at) => `${at + 1} ${at}`);
      for (const told of await all) expect(told).toEqual(expected);
      expect((await driver.describe()).barriers).toEqual([]);
      expect(proxy.cuts()).toBeGreaterThan(0);
    } finally {
      proxy.close();
    }
  });
});
