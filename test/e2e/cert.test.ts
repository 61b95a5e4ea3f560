// SPDX-License-Identifier: MIT
// Goal: `muster cert` makes what the doors need, and the configuration server speaks TLS with it,
// alone and in a run; TLS 1.0 on that door only when asked for.
// Method: the real commands; Python's ssl as a client that shares no code with ours.
import { mkdirSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { Command, repository, run, scratch, shell } from "./support/command.ts";
import { nodesWith, readText, sh, writeExperiment } from "./support/experiment.ts";

/** Asks for the event key: ADDRESS PORT VERSION DIRECTORY. */
const python = `
import socket, ssl, sys, warnings
warnings.simplefilter("ignore")
address, port, version, folder = sys.argv[1:]
context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
context.check_hostname = False
context.set_ciphers("DEFAULT@SECLEVEL=0")
context.load_verify_locations(folder + "/ca.pem")
context.load_cert_chain(folder + "/node/n0.pem")
context.minimum_version = context.maximum_version = getattr(ssl.TLSVersion, version)
raw = socket.create_connection((address, int(port)), 10)
raw.sendall(b"ISPEAKSSL_TMCDV10")
tls = context.wrap_socket(raw)
tls.sendall(b"VERSION=34 eventkey ")
print(tls.version(), dict(part[0] for part in tls.getpeercert()["subject"])["commonName"])
print(tls.recv(4096).decode(), end="")
`;

async function makeCertificates(directory: string): Promise<void> {
  const dir = ["--dir", directory];
  for (const words of [
    ["init", "--key", "rsa"],
    ["issue", "server", "boss.example.net"],
    ["issue", "node", "n0"],
  ]) {
    const { code, stderr } = await run("muster", ["cert", ...words, ...dir]);
    expect([code, stderr]).toEqual([0, ""]);
  }
}

test("init and issue say what they made, and keep to the state directory", async () => {
  const state = join(scratch(), "state");
  const env = { MUSTER_STATE: state };
  const init = await run("muster", ["cert", "init", "--json"], { env });
  expect(JSON.parse(init.stdout)).toMatchObject({
    ...{ directory: join(state, "tls"), kind: "authority" },
    ...{ certificate: join(state, "tls/ca.pem"), key: join(state, "tls/ca-key.pem") },
  });
  const issue = ["cert", "issue", "user", "alice", "--days", "2", "--json"];
  const alice = JSON.parse((await run("muster", issue, { env })).stdout);
  expect(alice).toMatchObject({ kind: "user", name: "alice" });
  expect(alice.bundle).toBe(join(state, "tls/user/alice.pem"));
  expect(statSync(alice.bundle).mode & 0o777).toBe(0o600);
  expect(Number.isNaN(Date.parse(alice.ends))).toBe(false);
  // A daemon can live in the state directory that was made on the way.
  expect(statSync(state).mode & 0o777).toBe(0o700);
});

test("a disk that takes nothing leaves no file behind, and the next attempt is not refused", async () => {
  const dir = join(scratch(), "tls");
  const prefix = ["sh", "-c", 'ulimit -f 0; exec "$@"', "sh"];
  const full = await run("muster", ["cert", "init", "--dir", dir], { prefix });
  expect([full.code, full.stderr]).toEqual([expect.any(Number), expect.stringMatching(/EFBIG/)]);
  expect(readdirSync(dir)).toEqual([]);
  expect((await run("muster", ["cert", "init", "--dir", dir])).code).toBe(0);
});

test("what cannot be done is one sentence with its status", async () => {
  const directory = join(scratch(), "tls");
  const cert = async (...words: readonly string[]) => {
    const { code, stderr } = await run("muster", ["cert", ...words, "--dir", directory]);
    return [code, stderr.split("\n").length - 1, stderr];
  };
  expect(await cert("issue", "node", "n0")).toMatchObject([66, 1, expect.stringMatching("init")]);
  await cert("init");
  expect(await cert("init")).toMatchObject([73, 1, expect.stringMatching("--force")]);
  expect(await cert("issue", "node", "a/b")).toMatchObject([64, 1, expect.any(String)]);
  expect((await cert("issue", "pet", "rex"))[0]).toBe(64);
  expect((await cert("issue", "node", "n0", "--days", "0"))[0]).toBe(64);
  const tls = ["--tls", directory];
  const file = writeExperiment(nodesWith("true"));
  const none = await run("muster", ["run", file, ...tls]);
  expect([none.code, none.stderr]).toEqual([66, expect.stringMatching("muster cert issue server")]);
});

describe("the configuration server", () => {
  const ask = (at: string, port: string, version: string, folder: string) =>
    shell(`python3 "${folder}/ask.py" ${at} ${port} ${version} "${folder}"`);

  test.each([
    [[], ["TLSv1_3", "TLSv1_2"]],
    [["--tls-legacy"], ["TLSv1_3", "TLSv1"]],
  ])("of tmcc --serve speaks TLS with them, options %j", async (more, versions) => {
    const folder = scratch();
    await makeCertificates(folder);
    writeFileSync(join(folder, "ask.py"), python);
    const file = writeExperiment(nodesWith("true"));
    const argv = ["--serve", file, "--listen", "0", "--tls", folder, ...more];
    const server = new Command(join(repository, "bin/tmcc"), argv);
    const [, at = "", port = ""] = await server.prints(/address=(\S+) port=(\d+)/);
    for (const version of versions) {
      const { stdout } = await ask(at, port, version, folder);
      const spoken = version.replace("_", ".");
      expect(stdout).toMatch(
        new RegExp(`^${spoken} boss.example.net\nEVENTKEY KEY='[0-9a-f]{32}'\n$`),
      );
    }
    if (more.length > 0) return;
    // Mutant: tls-identity.ts always says legacy.
    const old = await ask(at, port, "TLSv1", folder);
    expect([old.code, old.stdout]).toEqual([1, ""]);
  });

  test("of a run speaks TLS with its nodes, which know it by the certificate's name", async () => {
    const folder = scratch();
    const tls = join(folder, "tls");
    mkdirSync(tls);
    await makeCertificates(tls);
    const data = "/proj/muster/data";
    const boss = "$(cat $MUSTER_BOOT/bossnode)";
    const asks =
      `getent ahostsv4 boss.example.net | head -n 1; echo ${boss}; ` +
      `python3 ${data}/tls/ask.py ${boss} 7777 TLSv1_3 ${data}/tls; cat $MUSTER_BOOT/eventkey`;
    writeFileSync(join(tls, "ask.py"), python);
    const file = writeExperiment(nodesWith(sh(asks)), folder);
    const out = join(scratch(), "out");
    const { code, stderr } = await run("muster", ["run", file, "--out", out, "--tls", tls]);
    const said = readText(join(out, "nodes/n0/local/logs/n0_startcmd.out")).split("\n");
    const complaint = readText(join(out, "nodes/n0/local/logs/n0_startcmd.err"));
    expect([code, stderr, complaint]).toEqual([0, "", ""]);
    expect(said[0]?.split(/\s/)[0]).toBe(said[1]);
    expect(said.slice(2)).toEqual([
      "TLSv1.3 boss.example.net",
      `EVENTKEY KEY='${said[4]}'`,
      said[4],
    ]);
  });
});
