// SPDX-License-Identifier: MIT
// Goal: certificates of `muster cert` are good for everybody who checks them, say for whom they
// speak, and their keys are nobody else's. Method: a directory made for the test; openssl as judge
// and as client, Node's TLS as server and client with certificates both ways.
import { execFileSync } from "node:child_process";
import { X509Certificate } from "node:crypto";
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect, createServer, type Server } from "node:tls";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { KeyKind } from "../../../src/host/ids.ts";
import {
  initDirectory,
  issueFiles,
  loadTlsMaterial,
  PkiError,
  type Subject,
  subjectOfPeer,
} from "../../../src/pki/index.ts";
import {
  daysMax,
  nameCharactersMax,
  pemBytesMax,
  sanCharactersMax,
  sanCountMax,
} from "../../../src/pki/limits.ts";

const root = mkdtempSync(join(tmpdir(), "muster-pki-"));
afterAll(() => rmSync(root, { recursive: true }));

const nowMs = Math.trunc(Date.now() / 1_000) * 1_000;
const dayMs = 86_400_000;

function init(
  directory: string,
  change: { keyKind?: KeyKind; days?: number; force?: boolean } = {},
) {
  return initDirectory({ directory, keyKind: "ec", days: 30, force: false, nowMs, ...change });
}

interface IssueChange {
  readonly san?: readonly string[];
  readonly days?: number;
  readonly force?: boolean;
  readonly nowMs?: number;
}

function issue(directory: string, subject: Subject, change: IssueChange = {}) {
  return issueFiles({ directory, ...subject, san: [], days: 7, force: false, nowMs, ...change });
}

const codeOf = async (work: Promise<unknown> | (() => unknown)): Promise<string> => {
  try {
    await (typeof work === "function" ? work() : work);
  } catch (error) {
    if (error instanceof PkiError) return error.code;
    throw error;
  }
  return "none";
};

const subjects: readonly Subject[] = [
  { kind: "server", name: "localhost" },
  { kind: "node", name: "pc1" },
  { kind: "user", name: "alice" },
];
const directories: Readonly<Record<KeyKind, string>> = {
  ec: join(root, "deep", "ec"),
  rsa: join(root, "rsa"),
};
const stranger = join(root, "stranger");

beforeAll(async () => {
  for (const [keyKind, directory] of [
    ["ec", directories.ec],
    ["rsa", directories.rsa],
  ] as const) {
    await init(directory, { keyKind });
    const names = { localhost: ["127.0.0.1", "::1", "2001:db8::5:6", "*.example.net"] };
    for (const subject of subjects) {
      const san = subject.kind === "server" ? names.localhost : [];
      await issue(directory, subject, { san });
    }
  }
  await init(stranger);
  await issue(stranger, { kind: "user", name: "mallory" });
}, 60_000);

function openssl(...args: readonly string[]): string {
  return execFileSync("openssl", args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
}

const isRefused = (...args: readonly string[]): boolean => {
  try {
    openssl(...args);
    return false;
  } catch {
    return true;
  }
};

describe.each(["ec", "rsa"] as const)("with keys of kind %s", (keyKind) => {
  const directory = directories[keyKind];
  const authority = join(directory, "ca.pem");
  const verify = (purpose: string, file: string): readonly string[] => {
    return ["verify", "-x509_strict", "-purpose", purpose, "-CAfile", authority, file];
  };

  test("openssl verifies each certificate for its purpose and for no other", () => {
    for (const { kind, name } of subjects) {
      const file = join(directory, kind, `${name}.crt`);
      const [fit, unfit] =
        kind === "server" ? ["sslserver", "sslclient"] : ["sslclient", "sslserver"];
      expect(openssl(...verify(fit, file))).toContain("OK");
      expect(isRefused(...verify(unfit, file))).toBe(true);
    }
    expect(isRefused(...verify("sslclient", join(stranger, "user/mallory.crt")))).toBe(true);
  });

  test("the subject says the kind and the name, one attribute in each part", () => {
    for (const { kind, name } of subjects) {
      const file = join(directory, kind, `${name}.crt`);
      const subject = openssl("x509", "-in", file, "-noout", "-subject", "-nameopt", "RFC2253");
      expect(subject.trim()).toBe(`subject=CN=${name},OU=${kind},O=Muster`);
    }
  });

  test("names and addresses stand in the certificate of a server", () => {
    const { subjectAltName } = new X509Certificate(
      readFileSync(join(directory, "server/localhost.crt")),
    );
    expect(subjectAltName).toBe(
      "DNS:localhost, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1, " +
        "IP Address:2001:DB8:0:0:0:0:5:6, DNS:*.example.net",
    );
  });

  test("the bundle is certificate and key in one file", () => {
    const file = join(directory, "user/alice.pem");
    const modulus = openssl("x509", "-in", file, "-noout", "-pubkey");
    expect(openssl("pkey", "-in", file, "-pubout")).toBe(modulus);
  });

  test("only the owner can read a private key", () => {
    for (const name of ["ca-key.pem", "server/localhost.key", "user/alice.pem", "node/pc1.pem"]) {
      expect(statSync(join(directory, name)).mode & 0o777).toBe(0o600);
    }
    expect(statSync(join(directory, "user")).mode & 0o777).toBe(0o700);
  });
});

let server: Server | undefined;
afterEach(() => {
  server?.close();
  server = undefined;
});

/** A server that wants certificates and answers whom it takes the client for. */
async function serve(directory: string, subject: Subject): Promise<number> {
  const { key, certificate, authority } = loadTlsMaterial(directory, { ...subject, nowMs });
  const options = { key, cert: certificate, ca: authority };
  const made = createServer(
    { ...options, requestCert: true, rejectUnauthorized: true },
    (socket) => {
      socket.on("error", () => undefined);
      const peer = subjectOfPeer(socket.getPeerCertificate());
      socket.end(`${peer?.kind} ${peer?.name}\n`);
    },
  );
  server = made;
  await new Promise<void>((resolve) => {
    made.listen(0, "127.0.0.1", resolve);
  });
  return (made.address() as AddressInfo).port;
}

/** What the server says, or why there was no talk. */
function ask(port: number, directory: string, subject?: Subject): Promise<string> {
  const own = subject === undefined ? undefined : loadTlsMaterial(directory, { ...subject, nowMs });
  return new Promise((resolve) => {
    const socket = connect({
      port,
      host: "127.0.0.1",
      servername: "localhost",
      ca: readFileSync(join(directories.ec, "ca.pem"), "utf8"),
      ...(own === undefined ? {} : { key: own.key, cert: own.certificate }),
    });
    let text = "";
    socket.on("data", (data) => {
      text += data.toString();
    });
    socket.on("error", (error: NodeJS.ErrnoException) => resolve(`refused ${error.code}`));
    socket.on("close", () => resolve(text.trim()));
  });
}

describe("a TLS connection", () => {
  const [localhost, node, user] = subjects as readonly [Subject, Subject, Subject];

  test("lets users and nodes in, and the server knows which they are", async () => {
    const port = await serve(directories.ec, localhost);
    expect(await ask(port, directories.ec, user)).toBe("user alice");
    expect(await ask(port, directories.ec, node)).toBe("node pc1");
  });

  test("keeps out who has no certificate, one of a stranger, or a server's", async () => {
    const port = await serve(directories.ec, localhost);
    // With TLS 1.3 the client may see nothing but the end.
    const nothing = /^(?:refused \w+)?$/;
    expect(await ask(port, directories.ec)).toMatch(nothing);
    expect(await ask(port, stranger, { kind: "user", name: "mallory" })).toMatch(nothing);
    expect(await ask(port, directories.ec, localhost)).toMatch(nothing);
  });

  test("is not made by a client when a user serves with his own certificate", async () => {
    const port = await serve(directories.ec, user);
    expect(await ask(port, directories.ec, node)).toBe("refused INVALID_PURPOSE");
  });

  test("is made by openssl too", async () => {
    const port = await serve(directories.ec, localhost);
    const { execFile } = await import("node:child_process");
    const args = ["s_client", "-connect", `127.0.0.1:${port}`, "-quiet", "-verify_return_error"];
    const files = ["-CAfile", join(directories.ec, "ca.pem")];
    const bundle = join(directories.ec, "user/alice.pem");
    const text = await new Promise<string>((resolve) => {
      execFile("openssl", [...args, ...files, "-cert", bundle, "-key", bundle], (_, stdout) =>
        resolve(stdout),
      );
    });
    expect(text).toContain("user alice");
  });

  test("tells nothing of a peer whose certificate has two names or a strange unit", () => {
    expect(subjectOfPeer({ subject: { OU: "user", CN: ["alice", "bob"] } })).toBeUndefined();
    expect(subjectOfPeer({ subject: { OU: ["user", "node"], CN: "alice" } })).toBeUndefined();
    expect(subjectOfPeer({ subject: { OU: "authority", CN: "alice" } })).toBeUndefined();
    expect(subjectOfPeer({})).toBeUndefined();
  });
});

describe("files", () => {
  const subject: Subject = { kind: "user", name: "bob" };

  test("are not written over without being told to", async () => {
    const directory = join(root, "again");
    await init(directory);
    const { key } = await issue(directory, subject);
    const before = readFileSync(key);
    expect(await codeOf(init(directory))).toBe("EXISTS");
    expect(await codeOf(issue(directory, subject))).toBe("EXISTS");
    expect(readFileSync(key)).toEqual(before);
    await issue(directory, subject, { force: true });
    expect(readFileSync(key)).not.toEqual(before);
    expect(statSync(key).mode & 0o777).toBe(0o600);
    expect(existsSync(`${key}.new`)).toBe(false);
  });

  test("do not follow a link that somebody left in their place", async () => {
    const directory = join(root, "links");
    await init(directory);
    await issue(directory, { kind: "user", name: "first" });
    const elsewhere = join(root, "elsewhere");
    const at = join(directory, "user/bob.key");
    symlinkSync(elsewhere, at);
    expect(await codeOf(issue(directory, subject))).toBe("EXISTS");
    expect(existsSync(join(directory, "user/bob.pem"))).toBe(false);
    await issue(directory, subject, { force: true });
    expect(existsSync(elsewhere)).toBe(false);
    expect(statSync(at).mode & 0o777).toBe(0o600);
  });

  test("are not made without an authority, and what to do is said", async () => {
    const directory = join(root, "nothing");
    expect(await codeOf(issue(directory, subject))).toBe("NO_AUTHORITY");
    await expect(issue(directory, subject)).rejects.toThrow("muster cert init");
    expect(existsSync(directory)).toBe(false);
  });

  test("are not made by an authority whose key others can read, or that is not its own", async () => {
    const directory = join(root, "unsafe");
    await init(directory);
    chmodSync(join(directory, "ca-key.pem"), 0o640);
    expect(await codeOf(issue(directory, subject))).toBe("UNSAFE");
    chmodSync(join(directory, "ca-key.pem"), 0o600);
    writeFileSync(join(directory, "ca-key.pem"), readFileSync(join(stranger, "ca-key.pem")));
    expect(await codeOf(issue(directory, subject))).toBe("DAMAGED");
  });

  test("of a user cannot take the place of the authority", async () => {
    const directory = join(root, "leaf");
    await init(directory);
    const { certificate, key } = await issue(directory, subject);
    writeFileSync(join(directory, "ca.pem"), readFileSync(certificate));
    writeFileSync(join(directory, "ca-key.pem"), readFileSync(key));
    expect(await codeOf(issue(directory, { kind: "user", name: "eve" }))).toBe("DAMAGED");
  });
});

describe("the life of a certificate", () => {
  test("ends with the authority's at the latest, and an expired one signs nothing", async () => {
    const directory = join(root, "life");
    const { endsMs } = await init(directory, { days: 2 });
    expect(endsMs).toBe(nowMs + 2 * dayMs);
    const bob = await issue(directory, { kind: "user", name: "bob" }, { days: 1 });
    expect(bob.endsMs).toBe(nowMs + dayMs);
    const eve = await issue(directory, { kind: "user", name: "eve" }, { days: 300 });
    expect(eve.endsMs).toBe(endsMs);
    const late = { nowMs: nowMs + 3 * dayMs };
    expect(await codeOf(issue(directory, { kind: "user", name: "x" }, late))).toBe("NO_AUTHORITY");
  });

  test("may reach beyond 2049, where dates are written in another way", async () => {
    const directory = join(root, "far");
    const nowMs = Date.UTC(2045, 0, 1);
    const options = { directory, keyKind: "ec", force: false, nowMs } as const;
    const { endsMs } = await initDirectory({ ...options, days: daysMax });
    expect(endsMs).toBe(nowMs + daysMax * dayMs);
  });

  test.each([0, 1.5, daysMax + 1])("is not %d days", async (days) => {
    expect(await codeOf(init(join(root, "days"), { days }))).toBe("BAD_DAYS");
  });
});

describe("names", () => {
  const directory = directories.ec;
  const label = "a".repeat(63);

  test.each([
    ["user", ""],
    ["user", "../ca"],
    ["user", ".hidden"],
    ["user", "a b"],
    ["node", "a/b"],
    ["node", "a\nb"],
    ["server", "not a host"],
    ["server", "a..b"],
    ["server", "-x"],
  ] as const)("of a %s: %j is refused", async (kind, name) => {
    expect(await codeOf(issue(directory, { kind, name }))).toBe("BAD_NAME");
  });

  test("have at most as many characters as a certificate takes", async () => {
    const name = "n".repeat(nameCharactersMax);
    await issue(directory, { kind: "user", name });
    expect(await codeOf(issue(directory, { kind: "user", name: `${name}n` }))).toBe("BAD_NAME");
  });

  test("beside the first are bounded in length and number", async () => {
    const long = [label, label, label, "b".repeat(sanCharactersMax - 3 * 64)].join(".");
    const many = Array.from({ length: sanCountMax }, (_, index) => `h${index}`);
    await issue(directory, { kind: "server", name: "full" }, { san: [long, ...many.slice(1)] });
    const more = (san: readonly string[]) =>
      issue(directory, { kind: "server", name: "m" }, { san });
    expect(await codeOf(more([`${long}b`]))).toBe("BAD_NAME");
    expect(await codeOf(more([...many, "one"]))).toBe("BAD_NAME");
    expect(await codeOf(more(["a b"]))).toBe("BAD_NAME");
  });
});

describe("what a door loads", () => {
  test("is the only certificate of its kind, or the one named", async () => {
    const directory = join(root, "doors");
    await init(directory);
    expect(await codeOf(() => loadTlsMaterial(directory, { nowMs }))).toBe("NOT_FOUND");
    await issue(directory, { kind: "server", name: "one" });
    expect(loadTlsMaterial(directory, { nowMs }).name).toBe("one");
    await issue(directory, { kind: "server", name: "two" });
    expect(await codeOf(() => loadTlsMaterial(directory, { nowMs }))).toBe("NOT_FOUND");
    expect(loadTlsMaterial(directory, { name: "two", nowMs }).name).toBe("two");
  });

  test("is refused when it has expired, is another's, or can be read by others", async () => {
    const directory = join(root, "bad");
    await init(directory);
    const { key, certificate } = await issue(directory, { kind: "server", name: "one" });
    const load = (at = nowMs) => codeOf(() => loadTlsMaterial(directory, { nowMs: at }));
    expect(await load()).toBe("none");
    expect(await load(nowMs + 8 * dayMs)).toBe("DAMAGED");
    chmodSync(key, 0o644);
    expect(await load()).toBe("UNSAFE");
    chmodSync(key, 0o600);
    const own = readFileSync(key);
    writeFileSync(key, readFileSync(join(directories.ec, "server/localhost.key")));
    expect(await load()).toBe("DAMAGED");
    writeFileSync(key, own);
    await init(directory, { force: true });
    expect(await load()).toBe("DAMAGED");
    writeFileSync(certificate, "x".repeat(pemBytesMax + 1));
    expect(await load()).toBe("FILE");
  });
});
