// SPDX-License-Identifier: MIT
// The commands in the order in which they are matched, with who may ask them and how. A word runs
// the first command that it begins with. [EMULAB-TMCD 2] [EMULAB-TMCD 8]

/**
 * Which callers get the command as a part of `fullconfig`: P physical nodes, V virtual ones, A all,
 * - none.
 */
type Config = "P" | "V" | "A" | "-";

// A: reserved nodes only. U: also over UDP from a remote node. S: a remote node needs TLS. T: needs
// the node's own TPM certificate. C: only over a connection. R: the rest of the request belongs to
// it, newlines included. (M and N of the specification, how much is logged and that plain text is
// fine, change no answer.)
const rows = [
  ["reboot", "-", ""],
  ["nodeid", "A", ""],
  ["manifest", "A", ""],
  ["status", "-", ""],
  ["ifconfig", "A", "A"],
  ["accounts", "A", "SC"],
  ["delay", "A", "A"],
  ["bridges", "A", "A"],
  ["linkdelay", "A", "A"],
  ["hostnames", "-", "A"],
  ["rpms", "A", "A"],
  ["tarballs", "A", "A"],
  ["blobs", "A", "A"],
  ["deltas", "-", "A"],
  ["startupcmd", "A", "A"],
  ["startstatus", "-", "A"],
  ["startstat", "-", ""],
  ["readycount", "-", "A"],
  ["ready", "-", "A"],
  ["mounts", "A", "A"],
  ["sfshostid", "-", "AR"],
  ["loadinfo", "-", ""],
  ["reset", "-", ""],
  ["routing", "A", "A"],
  ["trafgens", "A", "A"],
  ["nseconfigs", "A", "AC"],
  ["creator", "A", "A"],
  ["state", "-", ""],
  ["tunnels", "A", "A"],
  ["vnodelist", "P", ""],
  ["subnodelist", "P", ""],
  ["isalive", "-", "U"],
  ["ipodinfo", "P", "C"],
  ["ntpinfo", "P", "C"],
  ["ntpdrift", "-", "C"],
  ["jailconfig", "V", "A"],
  ["plabconfig", "V", "A"],
  ["subconfig", "-", ""],
  ["sdparams", "P", ""],
  ["programs", "A", "A"],
  ["syncserver", "A", "A"],
  ["keyhash", "A", "AS"],
  ["eventkey", "A", "AS"],
  ["fullconfig", "-", "A"],
  ["routelist", "P", "A"],
  ["role", "P", "A"],
  ["rusage", "-", "UR"],
  ["watchdoginfo", "A", "AU"],
  ["hostkeys", "-", "R"],
  ["tmcctest", "-", ""],
  ["firewallinfo", "A", ""],
  ["hostinfo", "-", "R"],
  ["emulabconfig", "-", "A"],
  ["eplabconfig", "-", "A"],
  ["localization", "P", ""],
  ["rootpswd", "-", "S"],
  ["booterrno", "-", "R"],
  ["bootlog", "-", "R"],
  ["battery", "-", "UR"],
  ["topomap", "-", "A"],
  ["ltmap", "-", "A"],
  ["ltpmap", "-", "A"],
  ["userenv", "A", "A"],
  ["tiptunnels", "A", "A"],
  ["traceinfo", "A", "A"],
  ["elvindport", "-", ""],
  ["plabeventkeys", "-", "S"],
  ["intfcmap", "-", ""],
  ["motelog", "A", "A"],
  ["portregister", "-", ""],
  ["bootwhat", "-", ""],
  ["tpmblob", "A", ""],
  ["tpmpubkey", "A", ""],
  ["tpmdummy", "A", "T"],
  ["securestate", "-", "SR"],
  ["quoteprep", "-", "SR"],
  ["imagekey", "-", "TR"],
  ["dhcpdconf", "A", ""],
] as const;

export type CommandName = (typeof rows)[number][0];

export interface TmcdCommand {
  readonly name: CommandName;
  readonly config: Config;
  /** A free node may not ask it. */
  readonly needsReservation: boolean;
  readonly remoteUdp: boolean;
  readonly remoteNeedsTls: boolean;
  readonly needsTpm: boolean;
  readonly connectionOnly: boolean;
  /** `line`: ends at a newline. `rest`: everything up to the end of the connection is its text. */
  readonly body: "line" | "rest";
}

/** All commands in the order of matching. */
export const tmcdCommands: readonly TmcdCommand[] = rows.map(([name, config, letters]) => {
  const has = (letter: string): boolean => (letters as string).includes(letter);
  return {
    name,
    config,
    needsReservation: has("A"),
    remoteUdp: has("U"),
    remoteNeedsTls: has("S"),
    needsTpm: has("T"),
    connectionOnly: has("C"),
    body: has("R") ? "rest" : "line",
  };
});

/** The first command that `word` begins with; undefined when there is none. */
export function findCommand(word: string): TmcdCommand | undefined {
  return tmcdCommands.find(({ name }) => word.startsWith(name));
}
