// SPDX-License-Identifier: MIT
// Names the commands of certificates and their options; their code is loaded when one is called.
import { Argument, type Command, InvalidArgumentError, Option } from "commander";
import { daysMax } from "../../pki/limits.ts";
import { subjectKinds } from "../../pki/subject.ts";
import { collect } from "../collect.ts";
import { processIo } from "../io.ts";
import type { CertInitArguments, CertIssueArguments } from "./cert.ts";

type SetExit = (code: number) => void;

const dirOption = ["--dir <dir>", "the authority's directory (default: tls in --state)"] as const;
const stateOption = [
  "--state <dir>",
  "the state directory (default: $MUSTER_STATE, else ~/.local/state/muster)",
] as const;

/** Adds `cert` to `muster`. */
export function registerCertCommands(program: Command, setExit: SetExit): void {
  const cert = program
    .command("cert")
    .description("certificates of servers, nodes and users, and the authority that signs them");
  cert
    .command("init")
    .description("make an authority")
    .option(...dirOption)
    .option(...stateOption)
    .addOption(
      new Option("--key <kind>", "keys of all its certificates; rsa for clients of old")
        .choices(["ec", "rsa"])
        .default("ec"),
    )
    .option("--days <n>", "how long it is valid", days, 3_650)
    .option("--force", "write over an authority that is there", false)
    .option("--json", "print what was made as JSON", false)
    .action(async (options: CertInitArguments) => {
      const { certInitCommand } = await import("./cert.ts");
      setExit(await certInitCommand(options, processIo));
    });
  cert
    .command("issue")
    .description("make a key and a certificate that the authority signs")
    .addArgument(new Argument("<kind>", "whom it is for").choices(subjectKinds))
    .argument("<name>", "host name or address of a server, id of a node, login of a user")
    .option(...dirOption)
    .option(...stateOption)
    .option("--san <name>", "a further host name or address; again for more", collect)
    .option("--days <n>", "how long it is valid, at most as long as the authority", days, 365)
    .option("--force", "write over files that are there", false)
    .option("--json", "print what was made as JSON", false)
    .action(
      async (
        kind: CertIssueArguments["kind"],
        name: string,
        options: Omit<CertIssueArguments, "kind" | "name" | "san"> & Partial<CertIssueArguments>,
      ) => {
        const { certIssueCommand } = await import("./cert.ts");
        setExit(await certIssueCommand({ kind, name, san: [], ...options }, processIo));
      },
    );
}

function days(text: string): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= 1 && value <= daysMax) return value;
  throw new InvalidArgumentError(`It must be a whole number from 1 to ${daysMax}.`);
}
