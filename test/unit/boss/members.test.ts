// SPDX-License-Identifier: MIT
// Goal: who may change the members of a project, and what is refused whoever asks. Method: the real
// database; a machine with three users.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { BossError, type BossErrorCode } from "../../../src/boss/boss-error.ts";
import { ExperimentsDatabase } from "../../../src/boss/database.ts";
import { resolveBossLimits } from "../../../src/boss/limits.ts";
import { type MemberChange, Members } from "../../../src/boss/members.ts";
import { unixUid } from "../../../src/boss/unix-user.ts";

const machine = new Map([
  ["ann", 1000],
  ["bob", 1001],
  ["cy", 1002],
]);
let folder = "";
let database: ExperimentsDatabase;
let members: Members;
let asked: string[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "muster-members-"));
  const limits = resolveBossLimits({ membersMax: 2 });
  database = ExperimentsDatabase.open(join(folder, "e.db"), limits);
  for (const [name, uid] of [...machine, ["root", 0] as const]) database.putUser(name, uid);
  database.putProject("pp", { user: "ann", atMs: 0 });
  asked = [];
  const uidOf = async (name: string): Promise<number | undefined> => {
    asked.push(name);
    return machine.get(name);
  };
  members = new Members({ database, limits, uidOf });
});
afterEach(() => {
  database.close();
  rmSync(folder, { recursive: true });
});

const add = (user: string, trust: "user" | "trusted" | "leader" = "user"): MemberChange => {
  return { kind: "add-member", pid: "pp", user, trust };
};
const remove = (user: string): MemberChange => ({ kind: "remove-member", pid: "pp", user });
const set = (user: string, trust: "user" | "trusted" | "leader"): MemberChange => {
  return { kind: "set-trust", pid: "pp", user, trust };
};

async function refusal(change: MemberChange, asking: string): Promise<BossErrorCode> {
  const before = database.members("pp");
  const error: unknown = await members.change(change, asking).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(BossError);
  expect(database.members("pp")).toEqual(before);
  return (error as BossError).code;
}

describe("Members", () => {
  it("are added, changed and removed by a leader", async () => {
    const two = await members.change(add("bob"), "ann");
    expect(two).toEqual([
      { user: "ann", unixUid: 1000, trust: "leader" },
      { user: "bob", unixUid: 1001, trust: "user" },
    ]);
    const changed = await members.change(set("bob", "trusted"), "ann");
    expect(changed[1]?.trust).toBe("trusted");
    expect(await members.change(remove("bob"), "ann")).toHaveLength(1);
  });

  it("are changed by root, and by nobody who is less than a leader", async () => {
    await members.change(add("bob", "trusted"), "root");
    expect(await refusal(set("bob", "leader"), "bob")).toBe("NOT_ALLOWED");
    expect(await refusal(remove("ann"), "bob")).toBe("NOT_ALLOWED");
    expect(members.list("pp", "bob")).toHaveLength(2);
    // Who is no member is not told that there is such a project.
    expect(await refusal(add("cy"), "cy")).toBe("NO_SUCH_PROJECT");
    expect(() => members.list("pp", "cy")).toThrow(/there is no project "pp"/);
    expect(() => members.list("none", "root")).toThrow(/there is no project "none"/);
  });

  it("keep a leader", async () => {
    await members.change(add("bob"), "ann");
    expect(await refusal(set("ann", "user"), "ann")).toBe("LAST_LEADER");
    expect(await refusal(remove("ann"), "root")).toBe("LAST_LEADER");
    await members.change(set("ann", "leader"), "ann");
    await members.change(set("bob", "leader"), "ann");
    expect(await members.change(remove("ann"), "ann").catch(() => [])).toEqual([]);
    expect(database.members("pp")).toMatchObject([{ user: "bob", trust: "leader" }]);
  });

  it("are users of this machine, once each, and no more than there may be", async () => {
    expect(await refusal(add("dora"), "ann")).toBe("NO_SUCH_USER");
    expect(await refusal(add("-u"), "ann")).toBe("NO_SUCH_USER");
    // What is no name is not handed to another program.
    expect(asked).toEqual(["dora"]);
    expect(await refusal(add("ann"), "ann")).toBe("WRONG_STATE");
    expect(await refusal(set("bob", "user"), "ann")).toBe("NO_SUCH_USER");
    expect(await refusal(remove("bob"), "ann")).toBe("NO_SUCH_USER");
    await members.change(add("bob"), "ann");
    expect(await refusal(add("cy"), "ann")).toBe("LIMIT");
  });
});

describe("unixUid()", () => {
  it("finds who there is, and nobody else", async () => {
    const { username, uid } = userInfo();
    expect(await unixUid(username)).toBe(uid);
    expect(await unixUid("nobody-of-this-name")).toBeUndefined();
  });
});
