// SPDX-License-Identifier: MIT
// Machines for tests of ssh: network namespaces that one Ethernet joins, each with Debian's sshd,
// and one, `boss`, that is joined to all of them and has none. Needs root. Keys are the test's.
import { type ChildProcess, execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createUnshapedLinks } from "../../../src/network/unshaped-links.ts";
import type { CommandOptions } from "../support/command.ts";
import { repository, scratch } from "../support/command.ts";
import { makeNamespaces, type TestNamespaces } from "./namespaces.ts";

export interface SshMachines {
  readonly namespaces: TestNamespaces;
  /** `10.7.0.2`, ...: of a machine on that Ethernet. */
  addressOf(name: string): string;
  /** For `muster run` on `boss`, which reaches the machines by their names. */
  readonly argv: readonly string[];
  readonly onBoss: CommandOptions;
  /** Directory for temporary files of a machine. */
  temporaryOf(name: string): string;
  /** A file of the test's: `known_hosts`, `key`, `config`. */
  readonly at: string;
  stop(): Promise<void>;
}

const net = 7;
const port = 2222;

export async function startSshMachines(names: readonly string[]): Promise<SshMachines> {
  const at = scratch();
  const namespaces = await makeNamespaces(["boss", ...names]);
  const servers: ChildProcess[] = [];
  const addressOf = (name: string): string => `10.${net}.0.${["boss", ...names].indexOf(name) + 1}`;
  const stop = async (): Promise<void> => {
    for (const server of servers) server.kill("SIGKILL");
    await namespaces.stop();
  };
  try {
    const ethernet = namespaces.link("ethernet", "lan", ["boss", ...names]);
    await createUnshapedLinks(namespaces.commands).attach([ethernet], new Map());
    await namespaces.configure(ethernet, net);
    makeKey(join(at, "host"));
    makeKey(join(at, "key"));
    const hostKey = readPublic(join(at, "host"));
    writeFileSync(
      join(at, "known_hosts"),
      names.map((name) => `[${addressOf(name)}]:${port} ${hostKey}\n`).join(""),
    );
    writeFileSync(
      join(at, "config"),
      configOf(
        at,
        names.map((name) => [name, addressOf(name)]),
      ),
    );
    for (const name of names) {
      const namespace = namespaces.nodes.get(name);
      if (namespace === undefined) throw new Error(`there is no ${name}`);
      mkdirSync(join(at, name, "tmp"), { recursive: true });
      writeFileSync(join(at, `sshd-${name}`), serverOf(at, name, addressOf(name)));
      // Its own /run: sshd wants an empty directory there, and this machine may have no server.
      const script = `mount -t tmpfs none /run && mkdir /run/sshd && exec /usr/sbin/sshd -D -e -f "$0"`;
      const server = namespaces.commands.spawn(namespace, [
        ...["unshare", "--mount", "--", "sh", "-c", script, join(at, `sshd-${name}`)],
      ]);
      servers.push(server);
      await listening(server, name);
    }
  } catch (error) {
    await stop();
    throw error;
  }
  const boss = namespaces.nodes.get("boss")?.pid;
  return {
    ...{ namespaces, addressOf, at, stop },
    argv: [
      ...["--remote-shell", `ssh -F ${join(at, "config")} %h`],
      ...["--remote-muster", join(repository, "bin/muster")],
    ],
    onBoss: { prefix: ["nsenter", `--net=/proc/${boss}/ns/net`, "--"] },
    temporaryOf: (name) => join(at, name, "tmp"),
  };
}

/** @param file the public one is beside it */
export function makeKey(file: string): void {
  execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", "test", "-f", file]);
}

function readPublic(file: string): string {
  return execFileSync("ssh-keygen", ["-y", "-f", file], { encoding: "utf8" }).trim();
}

function configOf(at: string, hosts: readonly (readonly [string, string])[]): string {
  const all = hosts.map(([name, address]) => `Host ${name}\n  HostName ${address}\n`).join("");
  return `${all}Host *
  User ${process.env["USER"] ?? "root"}
  Port ${port}
  BatchMode yes
  ConnectTimeout 30
  IdentitiesOnly yes
  IdentityFile ${join(at, "key")}
  StrictHostKeyChecking yes
  UserKnownHostsFile ${join(at, "known_hosts")}
  GlobalKnownHostsFile none
`;
}

function serverOf(at: string, name: string, address: string): string {
  return `ListenAddress ${address}:${port}
HostKey ${join(at, "host")}
AuthorizedKeysFile ${join(at, "key.pub")}
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
PidFile none
SetEnv TMPDIR=${join(at, name, "tmp")}
`;
}

async function listening(server: ChildProcess, name: string): Promise<void> {
  let said = "";
  server.stderr?.setEncoding("utf8");
  const ended = once(server, "exit").then(() => {
    throw new Error(`sshd of ${name} ended: ${said}`);
  });
  const heard = new Promise<void>((resolve) => {
    server.stderr?.on("data", (text: string) => {
      said += text;
      if (said.includes("Server listening")) resolve();
    });
  });
  ended.catch(() => undefined);
  await Promise.race([heard, ended]);
}
