// SPDX-License-Identifier: MIT
// `muster project`: who belongs to a project, and what they may. Every form prints the members as
// they are then.
import type { Member, MemberChange } from "../../boss/index.ts";
import { exitCodes } from "../exit-codes.ts";
import type { CommandIo } from "../io.ts";
import { formatTable } from "../output.ts";
import { askDaemon, stateOf } from "./serve-client.ts";

export interface ProjectArguments {
  readonly request: { readonly kind: "members"; readonly pid: string } | MemberChange;
  readonly state?: string;
  readonly json: boolean;
}

/** @returns the exit status. @throws CommandError */
export async function projectCommand(argv: ProjectArguments, io: CommandIo): Promise<number> {
  const { request } = argv;
  const members = (await askDaemon({ state: stateOf(argv.state), request })) as readonly Member[];
  if (argv.json) io.stdout(`${JSON.stringify(members, null, 2)}\n`);
  else {
    const rows = members.map(({ user, trust, unixUid }) => [user, trust, `${unixUid}`]);
    const lines = formatTable([["USER", "TRUST", "UID"], ...rows]);
    io.stdout(lines.map((line) => `${line}\n`).join(""));
  }
  return exitCodes.ok;
}
