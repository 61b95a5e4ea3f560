// SPDX-License-Identifier: MIT
// Goal: old clients reach the configuration server over TLS 1.0 where that is allowed, new ones
// over TLS 1.2 and 1.3, and certificates count where there is something to check them against.
// Method: certificates made by openssl for the test, clients in Python's ssl and in ours, real
// sockets.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, describe, expect, test } from "vitest";
import { askTmcd, type TmccOutcome } from "../../src/client/tmcc.ts";
import type { TmccTls } from "../../src/client/tmcc-attempt.ts";
import { type TlsIdentity, Tmcd } from "../../src/edges/tmcd/index.ts";
import { systemClock } from "../../src/host/clock.ts";
import { NodeConfig } from "../../src/testbed/node-config.ts";
import { Program } from "../unit/syncd/programs.ts";
import { eventKey, experiments, Lines, nodesOf } from "../unit/tmcd/harness.ts";

const isThere = (command: string, ...args: readonly string[]): boolean => {
  try {
    execFileSync(command, [...args], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
};
const hasTools = isThere("openssl", "version") && isThere("python3", "-c", "import ssl");
const folder = mkdtempSync(join(tmpdir(), "muster-tmcd-tls-"));
afterAll(() => rmSync(folder, { recursive: true }));

const openssl = (...args: readonly string[]): void => {
  execFileSync("openssl", [...args], { cwd: folder, stdio: "ignore" });
};
const read = (name: string): string => readFileSync(join(folder, name), "utf8");

/** An authority, a server and a client; keys of 1024 bits are what old testbeds have. */
function makeCertificates(): void {
  const key = ["-newkey", "rsa:1024", "-nodes", "-sha1", "-days", "2"];
  for (const ca of ["ca", "stranger"]) {
    openssl(
      "req",
      "-x509",
      ...key,
      "-keyout",
      `${ca}.key`,
      "-out",
      `${ca}.pem`,
      "-subj",
      `/CN=${ca}`,
    );
  }
  for (const [name, ca, subject] of [
    ["server", "ca", "/CN=localhost"],
    ["client", "ca", "/CN=node"],
    ["other", "stranger", "/CN=node"],
  ] as const) {
    openssl(
      "req",
      ...key.slice(0, 3),
      "-keyout",
      `${name}.key`,
      "-out",
      `${name}.csr`,
      "-subj",
      subject,
    );
    const sign = [
      "-CA",
      `${ca}.pem`,
      "-CAkey",
      `${ca}.key`,
      "-CAcreateserial",
      "-sha1",
      "-days",
      "2",
    ];
    openssl("x509", "-req", "-in", `${name}.csr`, "-out", `${name}.crt`, ...sign);
    writeFileSync(join(folder, `${name}.pem`), read(`${name}.crt`) + read(`${name}.key`));
  }
}

let tmcd: Tmcd | undefined;
const log = new Lines();
afterEach(() => {
  tmcd?.close();
  tmcd = undefined;
});

/** A server at 127.0.0.1, where node0 is called. */
async function serve(identity: Partial<TlsIdentity>): Promise<number> {
  const experiment = experiments["pair"];
  if (experiment === undefined) throw new Error("no experiment");
  const [node0, ...rest] = nodesOf(experiment);
  const nodes = [{ ...node0, name: "node0", addresses: [], calledAt: "127.0.0.1" }, ...rest];
  const given = { experiment, nodes, domain: "example.net", creator: "a", swapper: "b", eventKey };
  tmcd = new Tmcd({
    source: new NodeConfig(given),
    clock: systemClock,
    logger: log,
    port: 0,
    tls: {
      key: read("server.key"),
      certificate: read("server.crt"),
      versions: "modern",
      ...identity,
    },
  });
  return (await tmcd.listen())[0] ?? 0;
}

/** Says the tag, and then nothing that TLS knows. */
const garbage = (port: number): string => `
import socket
s = socket.create_connection(("127.0.0.1", ${port}))
s.sendall(b"ISPEAKSSL_TMCDV10" + b"garbage" * 50)
s.settimeout(5)
s.recv(100)
`;

/** Says the tag, shakes hands in the version named, asks, does not close its side. */
const python = `
import socket, ssl, sys, warnings
warnings.simplefilter("ignore")
port, version, cut, certificate = int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4]
context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
context.check_hostname = False
context.verify_mode = ssl.CERT_NONE
context.set_ciphers("DEFAULT@SECLEVEL=0")
context.minimum_version = context.maximum_version = getattr(ssl.TLSVersion, version)
if certificate: context.load_cert_chain(certificate)
raw = socket.create_connection(("127.0.0.1", port), 10)
incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
tls = context.wrap_bio(incoming, outgoing)
first = [b"ISPEAKSSL_TMCDV10"]
def pump(call, *args):
    while True:
        try:
            result = call(*args)
            flush()
            return result
        except ssl.SSLWantReadError:
            flush()
            data = raw.recv(65536)
            if not data: raise EOFError("closed")
            incoming.write(data)
def flush():
    data = outgoing.read()
    if first: data = first.pop() + data
    # cut 0: the tag and the first bytes of TLS in one segment; else two segments.
    if cut and len(data) > cut:
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        raw.sendall(data[:cut])
        import time; time.sleep(0.02)
        data = data[cut:]
    if data: raw.sendall(data)
pump(tls.do_handshake)
pump(tls.write, b"VERSION=34 eventkey ")
reply = b""
try:
    while True:
        part = pump(tls.read, 4096)
        if not part: break
        reply += part
except (EOFError, ssl.SSLError): pass
print(tls.version(), reply.decode())
`;

async function askPython(port: number, version: string, cut = 0, certificate = "client.pem") {
  const path = certificate === "" ? "" : join(folder, certificate);
  const program = new Program("python3", ["-c", python, String(port), version, String(cut), path]);
  return program.ended;
}

function askOurs(port: number, tls: Partial<TmccTls> = {}): Promise<TmccOutcome> {
  return askTmcd({
    request: { words: ["eventkey"] },
    targets: [{ kind: "tcp", address: "127.0.0.1", port }],
    tls: {
      ...{ authority: read("ca.pem"), certificate: read("client.crt"), key: read("client.key") },
      versions: "legacy",
      ...tls,
    },
    timeoutMs: 10_000,
    runtime: systemClock,
  });
}

describe.skipIf(!hasTools)("the configuration server over TLS", () => {
  if (hasTools) makeCertificates();
  const reply = `EVENTKEY KEY='${eventKey}'\n`;

  test("speaks TLS 1.0 with an old client where that is allowed, and not elsewhere", async () => {
    const legacy = await serve({ versions: "legacy" });
    expect((await askPython(legacy, "TLSv1")).stdout).toBe(`TLSv1 ${reply}\n`);
    expect((await askPython(legacy, "TLSv1_2")).stdout).toBe(`TLSv1.2 ${reply}\n`);
    tmcd?.close();
    // Keys of 1024 bits are too short for a modern server: it gets one of its own.
    openssl(
      ...["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"],
      ...["-keyout", "modern.key", "-out", "modern.crt"],
    );
    const modern = await serve({ key: read("modern.key"), certificate: read("modern.crt") });
    const refused = await askPython(modern, "TLSv1", 0, "");
    expect(refused.code).not.toBe(0);
    expect(refused.stdout).toBe("");
    expect((await askPython(modern, "TLSv1_3", 0, "")).stdout).toBe(`TLSv1.3 ${reply}\n`);
  });

  test("whatever segments the tag and the handshake come in", async () => {
    const port = await serve({ versions: "legacy" });
    for (const cut of [1, 9, 16, 17, 18, 40]) {
      expect([cut, (await askPython(port, "TLSv1_2", cut)).stdout]).toEqual([
        cut,
        `TLSv1.2 ${reply}\n`,
      ]);
    }
  });

  test("takes only clients of its authority, when it has one", async () => {
    const port = await serve({ versions: "legacy", authority: read("ca.pem") });
    expect((await askPython(port, "TLSv1_2")).stdout).toBe(`TLSv1.2 ${reply}\n`);
    for (const certificate of ["other.pem", ""]) {
      expect((await askPython(port, "TLSv1_2", 0, certificate)).stdout).not.toContain("KEY=");
    }
  });

  test("is asked by our client, which checks who answers", async () => {
    const port = await serve({ versions: "legacy", authority: read("ca.pem") });
    const good = await askOurs(port);
    expect(good).toEqual({ kind: "reply", bytes: Buffer.from(reply) });
    const stranger = await askOurs(port, { authority: read("stranger.pem") });
    expect(stranger).toMatchObject({ kind: "failed" });
    tmcd?.close();
    const misnamed = await serve({
      ...{ versions: "legacy", certificate: read("client.crt"), key: read("client.key") },
    });
    const outcome = await askOurs(misnamed);
    expect(outcome.kind).toBe("failed");
  });

  test("answers plain requests on the same port", async () => {
    const port = await serve({ versions: "legacy" });
    const targets = [{ kind: "tcp", address: "127.0.0.1", port }] as const;
    const request = { words: ["nodeid"] };
    const outcome = await askTmcd({ request, targets, runtime: systemClock });
    expect(outcome).toEqual({ kind: "reply", bytes: Buffer.from("pc10\n") });
  });

  test("outlives clients that shake no hands", async () => {
    const port = await serve({ versions: "legacy" });
    const targets = [{ kind: "tcp", address: "127.0.0.1", port }] as const;
    const request = { words: ["x"], data: "" };
    for (let index = 0; index < 5; index += 1) {
      const program = new Program("python3", ["-c", garbage(port)]);
      await program.ended;
    }
    await askTmcd({ request, targets, runtime: systemClock });
    expect((await askOurs(port)).kind).toBe("reply");
    expect(tmcd?.openCount).toBeLessThanOrEqual(2);
  });
});
