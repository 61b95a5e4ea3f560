// SPDX-License-Identifier: MIT
// Goal: who cannot join a server is told whether one answers there, what is wrong between them and
// how to mend it, with the status of other clients. Method: the command in this process, against
// doors with certificates of an authority of the test's own.
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { WebSocketServer } from "ws";
import { type JoinArguments, nodeJoinCommand } from "../../../src/cli/commands/node-join.ts";
import { stuckAfterDefault } from "../../../src/cli/commands/run-arguments.ts";
import { planMachines } from "../../../src/cli/commands/run-hosts.ts";
import { joinedMachines } from "../../../src/cli/commands/serve-hosts.ts";
import { describeDialFailure } from "../../../src/cli/dial-failure.ts";
import { CommandError } from "../../../src/cli/io.ts";
import { JoinedHosts } from "../../../src/edges/hosts/index.ts";
import { systemClock } from "../../../src/host/clock.ts";
import { createAuthority, issueCertificate } from "../../../src/pki/certificate.ts";
import { HttpBench } from "../http/http-bench.ts";

const folder = mkdtempSync(join(tmpdir(), "muster-join-"));
afterAll(() => rmSync(folder, { recursive: true }));

const life = { nowMs: systemClock.wallMs(), days: 2 };
const ca = join(folder, "ca.pem");
let authority: Awaited<ReturnType<typeof createAuthority>>;
beforeAll(async () => {
  authority = await createAuthority("ec", life);
  writeFileSync(ca, authority.certificate);
});

const benches: HttpBench[] = [];
const cleanups: (() => void)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) cleanup();
  vi.unstubAllEnvs();
  for (const bench of benches.splice(0)) await bench.close();
});

/** @param address that the certificate is for; undefined: no TLS @returns HOST:PORT */
async function door(address?: string): Promise<string> {
  const alternativeNames = [{ kind: "ip" as const, value: address ?? "" }];
  const subject = { kind: "server" as const, name: "boss" };
  const tls =
    address === undefined
      ? undefined
      : await issueCertificate({ authority, life, subject, alternativeNames });
  const bench = await HttpBench.startClosed(tls === undefined ? {} : { tls });
  benches.push(bench);
  return `127.0.0.1:${bench.port}`;
}

/** How it ends, with HOST:PORT for where the door is. */
async function joining(
  scheme: string,
  at: string,
  environment: Record<string, string> = {},
  options: Partial<JoinArguments> = {},
) {
  vi.stubEnv("MUSTER_TOKEN", "");
  vi.stubEnv("MUSTER_CA", "");
  for (const [name, value] of Object.entries(environment)) vi.stubEnv(name, value);
  const io = { stdout: () => undefined, stderr: () => undefined };
  const ended = nodeJoinCommand({ name: "far", server: `${scheme}://${at}`, ...options }, io);
  const error: unknown = await ended.catch((failure: unknown) => failure);
  if (!(error instanceof CommandError)) throw new Error(`it ended with ${String(error)}`);
  return [error.exitCode, error.message.replaceAll(at, "HOST:PORT")];
}

test("a server whose certificate is not trusted answers, and its authority is what is missing", async () => {
  const at = await door("127.0.0.1");
  expect(await joining("https", at)).toEqual([
    69,
    "a server answers at HOST:PORT, whose certificate is not trusted; --ca ca.pem or MUSTER_CA " +
      "names its authority, a copy of ca.pem of the server's TLS directory " +
      "(docs/reference/certificates.md) (UNABLE_TO_VERIFY_LEAF_SIGNATURE)",
  ]);
  // With it the two understand each other: there are no machines at this door, which it says.
  const [status, text] = await joining("https", at, { MUSTER_CA: ca });
  expect([status, text]).toEqual([69, expect.stringMatching(/no http door of muster serve/)]);
  // The option goes before the variable.
  const other = await createAuthority("ec", life);
  const wrong = join(folder, "wrong.pem");
  writeFileSync(wrong, other.certificate);
  expect(await joining("https", at, { MUSTER_CA: wrong }, { ca })).toEqual([status, text]);
  const [refused, why] = await joining("https", at, { MUSTER_CA: ca }, { ca: wrong });
  expect([refused, why]).toEqual([69, expect.stringMatching(/^a server .* is not trusted; --ca /)]);
});

test("a certificate for other names, and TLS at one end only, are called that", async () => {
  const [other, plain] = [await door("192.0.2.1"), await door()];
  expect(await joining("https", other, { MUSTER_CA: ca })).toEqual([
    69,
    expect.stringMatching(/certificate is for other names than 127\.0\.0\.1; .*--san 127\.0\.0\.1/),
  ]);
  expect(await joining("http", other)).toEqual([
    69,
    "a server answers at HOST:PORT, and hangs up; does it speak TLS? Then give https://HOST:PORT (ECONNRESET)",
  ]);
  expect(await joining("https", plain)).toEqual([
    69,
    expect.stringMatching(/^a server answers at HOST:PORT, and speaks no TLS; give http:\/\//),
  ]);
});

test("where nobody answers nothing is guessed", async () => {
  expect(await joining("https", "127.0.0.1:1")).toEqual([
    69,
    "no server answers at HOST:PORT (ECONNREFUSED)",
  ]);
  // The port of the scheme, which who leaves it out did not mean.
  const refused = { code: "ECONNREFUSED", message: "m" };
  expect(describeDialFailure(new URL("wss://boss"), refused)).toBe(
    "no server answers at port 443 of boss (ECONNREFUSED); give the URL that muster serve prints, with its port",
  );
});

test.each([
  ["SELF_SIGNED_CERT_IN_CHAIN", "--ca ca.pem or MUSTER_CA"],
  ["DEPTH_ZERO_SELF_SIGNED_CERT", "--ca ca.pem or MUSTER_CA"],
  ["UNABLE_TO_GET_ISSUER_CERT_LOCALLY", "--ca ca.pem or MUSTER_CA"],
  ["CERT_HAS_EXPIRED", "not valid today"],
  ["ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED", "--cert NAME.pem or MUSTER_CERT"],
])("%s is told with %s", (code, advice) => {
  const text = describeDialFailure(new URL("wss://boss:1"), { code, message: "m" });
  expect(text).toContain(advice);
  expect(text).toContain(`(${code})`);
});

test("files that are no certificates are named before anybody is called", async () => {
  const [text, empty] = [join(folder, "text"), join(folder, "empty")];
  writeFileSync(text, "no certificate\n");
  writeFileSync(empty, "");
  const nobody = "127.0.0.1:1";
  for (const file of [text, empty]) {
    const wrong = `--ca ${file} is not a certificate (there is no PEM block in it)`;
    expect(await joining("https", nobody, {}, { ca: file })).toEqual([
      66,
      expect.stringContaining(wrong),
    ]);
  }
  expect(await joining("https", nobody, { MUSTER_CA: text })).toEqual([
    66,
    expect.stringContaining(`--ca ${text} is not a certificate`),
  ]);
  // A certificate without its key.
  expect(await joining("https", nobody, {}, { cert: ca })).toEqual([
    66,
    expect.stringContaining(`--cert ${ca} is not a certificate and its key`),
  ]);
  expect(await joining("https", nobody, {}, { ca: join(folder, "none") })).toEqual([
    66,
    expect.stringContaining("cannot read"),
  ]);
  expect(await joining("https", nobody, {}, { certKey: ca })).toEqual([
    64,
    expect.stringContaining("give --cert FILE"),
  ]);
});

test("files of TLS are not ignored where the server is called in clear", async () => {
  expect(await joining("http", "127.0.0.1:1", {}, { ca })).toEqual([
    64,
    "--ca is for a server that speaks TLS; give --server https://HOST:PORT",
  ]);
});

test("what cannot be a name is said before anybody is called", async () => {
  const ended = await joining("http", "127.0.0.1:1", {}, { name: "a/b" });
  expect(ended).toEqual([
    64,
    '"a/b" is no name of a machine; use letters, digits, dots and dashes',
  ]);
});

test("who names machines of a server as muster run names hosts is told where room is said", () => {
  const hosts = new JoinedHosts(systemClock);
  expect(() => joinedMachines(hosts, ["a:4"], new Map())).toThrow(
    /^--on a:4: .*muster node join \(--capacity/,
  );
  expect(() => joinedMachines(hosts, ["a"], new Map())).toThrow(/^no machine has joined as a; /);
});

test("what cannot be a token is the user's mistake, and is not shown", async () => {
  const ended = await joining("http", "127.0.0.1:1", { MUSTER_TOKEN: "a secret" });
  expect(ended).toEqual([
    64,
    "MUSTER_TOKEN is no token; give the one that muster token create has printed, and nothing else",
  ]);
});

test("a run on hosts with nothing to copy to them ends with 69, as something is missing", async () => {
  const argv = {
    ...{ file: "a.ns", duration: 0, stuckAfter: stuckAfterDefault, repeat: 1 },
    ...{ set: [], limit: [], out: "o", json: false, on: ["a"] },
  };
  // Beside the sources, where this runs from, there is never an executable.
  await expect(planMachines(argv)).rejects.toMatchObject({
    exitCode: 69,
    message: expect.stringMatching(/make it by npm run build:single, or name a muster/),
  });
});

test("an agent that cannot be started is said, and keeps nobody when the machine leaves", async () => {
  const said: string[] = [];
  const server = new WebSocketServer({ port: 0, host: "127.0.0.1" });
  const { execPath } = process;
  cleanups.push(() => {
    process.execPath = execPath;
    server.close();
  });
  await once(server, "listening");
  process.execPath = join(folder, "no-such-node");
  server.on("connection", (socket, { url = "" }) => {
    if (!url.includes("link=")) socket.send(JSON.stringify({ joined: "far", start: "a" }));
  });
  const { port } = server.address() as AddressInfo;
  const io = { stdout: () => undefined, stderr: (text: string) => void said.push(text) };
  vi.stubEnv("MUSTER_TOKEN", "");
  const ended = nodeJoinCommand({ name: "far", server: `http://127.0.0.1:${port}` }, io);
  await expect
    .poll(() => said.join(""))
    .toMatch(/^muster: an agent cannot be started: .*ENOENT\n$/);
  process.emit("SIGTERM", "SIGTERM");
  expect(await ended).toBe(0);
});
