// SPDX-License-Identifier: MIT
// How a server is let in by NATS: over TLS with an authority of its own, with a certificate, and
// with a file of credentials of an account. Method: real brokers that ask for it; the credentials
// are made here, of keys that are drawn anew.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createAccount, createOperator, createUser, type KeyPair } from "@nats-io/nkeys";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { resolveBusLimits } from "../../../src/engine/bus-limits.ts";
import { NatsBus } from "../../../src/engine/nats-bus.ts";
import { natsPlace, openLog, openPayloads } from "../../../src/engine/open-log.ts";
import { systemClock } from "../../../src/host/clock.ts";
import { newRunId } from "../../../src/host/ids.ts";
import { createAuthority, issueCertificate } from "../../../src/pki/certificate.ts";
import { NatsServer } from "../../../src/testing/nats-server.ts";
import { numbered } from "../../../src/testing/suites/bus-suite.ts";

let folder = "";
const file = (name: string): string => join(folder, name);
const life = { nowMs: systemClock.wallMs(), days: 2 };

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "muster-nats-admission-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Appends one entry and says where it lies. */
async function append(name: string, natsCreds?: string): Promise<number> {
  const log = await openLog(name, systemClock, { natsCreds });
  const sequence = await log.append({ format: 1, batches: [] });
  await log.close();
  return sequence;
}

/** Statements of NATS are JSON signed by the key that is named in them. */
function sign(issuer: KeyPair, subject: KeyPair, name: string, nats: object): string {
  const encode = (value: object): string =>
    Buffer.from(JSON.stringify(value)).toString("base64url");
  const claims = {
    ...{ jti: name, iat: Math.trunc(life.nowMs / 1000), name },
    ...{ iss: issuer.getPublicKey(), sub: subject.getPublicKey() },
    nats: { version: 2, ...nats },
  };
  const text = `${encode({ typ: "JWT", alg: "ed25519-nkey" })}.${encode(claims)}`;
  return `${text}.${Buffer.from(issuer.sign(Buffer.from(text))).toString("base64url")}`;
}

describe("NATS with accounts", () => {
  it("lets in who shows credentials of an account that may use JetStream", async () => {
    const [operator, account, system] = [createOperator(), createAccount(), createAccount()];
    const user = createUser();
    const limits = {
      ...{ subs: -1, data: -1, payload: -1, imports: -1, exports: -1, wildcards: true },
      ...{ conn: -1, leaf: -1, mem_storage: -1, disk_storage: -1, streams: -1, consumer: -1 },
    };
    const broker = await NatsServer.start({
      config: [
        `operator: ${sign(operator, operator, "operator", { type: "operator" })}`,
        `system_account: ${system.getPublicKey()}`,
        "resolver: MEMORY",
        "resolver_preload: {",
        `${account.getPublicKey()}: ${sign(operator, account, "muster", { type: "account", limits })}`,
        `${system.getPublicKey()}: ${sign(operator, system, "system", { type: "account" })}`,
        "}",
      ].join("\n"),
    });
    const seed = Buffer.from(user.getSeed()).toString();
    const statement = sign(account, user, "user", {
      type: "user",
      subs: -1,
      data: -1,
      payload: -1,
    });
    const credentials = file("muster.creds");
    const part = (name: string, text: string): string =>
      `-----BEGIN ${name}-----\n${text}\n------END ${name}------\n`;
    const parts = [part("NATS USER JWT", statement), part("USER NKEY SEED", String(seed))];
    writeFileSync(credentials, parts.join("\n"));
    const name = `nats://${broker.address}`;
    await expect(append(name)).rejects.toThrow("give --nats-creds FILE");
    expect(await append(name, credentials)).toBe(1);
    expect(await append(`${name}?creds=${credentials}`)).toBe(2);
    const payloads = await openPayloads(name, { natsCreds: credentials, clock: systemClock });
    expect((await payloads.write(Buffer.from("message"))).id).toBe(1);
    await payloads.close();
    const bus = await NatsBus.open({
      ...{ place: natsPlace(name, { natsCreds: credentials }), bus: "ops", clock: systemClock },
      ...{ limits: resolveBusLimits(), newEpoch: newRunId },
    });
    expect((await bus.publish(numbered(1))).place.position).toBe(1);
    await bus.close();
    await expect(append(name, file("none.creds"))).rejects.toThrow("the credentials for NATS");
    for (const junk of ["junk\n", parts[0] ?? "", parts.join("\n").replace(/SUA/, "SUB")]) {
      writeFileSync(file("junk.creds"), junk);
      const refusal = append(name, file("junk.creds"));
      await expect(refusal).rejects.toThrow(/junk\.creds has no credentials for NATS \(/);
    }
    await broker.dispose();
  });

  it("says what a bus wants of a store that has less, or of a cluster, and what to change", async () => {
    const store = file("small");
    const broker = await NatsServer.start({
      hasJetStream: false,
      config: `jetstream: { store_dir: "${store}", max_file_store: 9000000 }`,
    });
    const place = natsPlace(`nats://${broker.address}`, {});
    const opened = (limits: Parameters<typeof resolveBusLimits>[0]): Promise<NatsBus> =>
      NatsBus.open({
        ...{ place, bus: "ops", clock: systemClock, newEpoch: newRunId },
        limits: resolveBusLimits(limits),
      });
    await expect(opened({})).rejects.toThrow(
      "insufficient storage resources available); it sets 64 MiB of JetStream's store aside: " +
        "raise max_file_store there, or say --limit ringBytesMax=",
    );
    const alone = natsPlace(`nats://${broker.address}/three?replicas=3`, {});
    const copies = NatsBus.open({
      ...{ place: alone, bus: "ops", clock: systemClock, newEpoch: newRunId },
      limits: resolveBusLimits({ ringBytesMax: 8_000_000 }),
    });
    await expect(copies).rejects.toThrow(
      "); replicas=3 needs a cluster of so many brokers, all of them up: start those that are missing",
    );
    await (await opened({ ringBytesMax: 8_000_000 })).close();
    await broker.dispose();
  });

  it("says which right its user lacks, and where to read of it", async () => {
    const user = (name: string, publish: string, subscribe: string): string =>
      `{ user: ${name}, password: p, permissions: { publish: ${publish}, subscribe: ${subscribe} } }`;
    const broker = await NatsServer.start({
      config: `authorization: { users: [
        ${user("nothing", `["x"]`, `["_INBOX.>"]`)}
        ${user("asks", `["$JS.API.INFO"]`, `["_INBOX.>"]`)}
        ${user("deaf", `["$JS.API.>"]`, `["x"]`)}
      ] }`,
    });
    const refused = async (name: string): Promise<string> => {
      const address = `nats://${name}:p@${broker.address}`;
      return await openLog(address, systemClock).then(
        () => "opened",
        (error: unknown) => String(error),
      );
    };
    const where = "the accounts in docs/guides/three-servers.md have what is needed";
    const lacks = (right: string): string =>
      `the user that NATS let in may not ${right}; give it that right: ${where}`;
    expect(await refused("nothing")).toBe(lacks("publish $JS.API.INFO"));
    expect(await refused("asks")).toBe(lacks("publish $JS.API.STREAM.INFO.muster"));
    expect(await refused("deaf")).toMatch(/may not subscribe _INBOX\./);
    await broker.dispose();
  });
});

describe("NATS with TLS", () => {
  it("is reached over TLS with its authority, and shown a certificate where it wants one", async () => {
    const authority = await createAuthority("ec", life);
    const write = (name: string, text: string): string => {
      writeFileSync(file(name), text, { mode: 0o600 });
      return file(name);
    };
    const issue = async (name: string, kind: "server" | "user") => {
      const made = await issueCertificate({
        ...{ authority, life, subject: { kind, name } },
        alternativeNames: kind === "server" ? [{ kind: "ip", value: "127.0.0.1" }] : [],
      });
      return { cert: write(`${name}.pem`, made.certificate), key: write(`${name}.key`, made.key) };
    };
    const ca = write("ca.pem", authority.certificate);
    const [broker, client] = [await issue("broker", "server"), await issue("client", "user")];
    const tls = `cert_file: "${broker.cert}", key_file: "${broker.key}", ca_file: "${ca}"`;
    const server = await NatsServer.start({ config: `tls: { ${tls}, verify: true }` });
    const name = `nats:tls://${server.address}`;
    await expect(append(name)).rejects.toThrow("check tls:// and ca=");
    const shown = `cert=${client.cert}&key=${client.key}`;
    await expect(append(`${name}?${shown}`)).rejects.toThrow("check tls:// and ca=");
    expect(await append(`${name}?ca=${ca}&${shown}`)).toBe(1);
    const other = await NatsServer.start({
      config: `tls: { cert_file: "${client.cert}", key_file: "${client.key}" }`,
    });
    // Signed by the right authority, for somebody else.
    await expect(append(`nats:tls://${other.address}?ca=${ca}`)).rejects.toThrow("TLS with NATS");
    await Promise.all([server.dispose(), other.dispose()]);
  });
});
