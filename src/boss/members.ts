// SPDX-License-Identifier: MIT
// Who belongs to a project, and who may say so. Brings together the database and rights.ts.
//
//   M1. Who leads a project, and root, change its members; members see each other.
//   M2. A project that has leaders keeps one: otherwise only root could ever change it again.
import { BossError } from "./boss-error.ts";
import type { ExperimentsDatabase, Member } from "./database.ts";
import type { BossLimits } from "./limits.ts";
import { type Action, judge, type Trust } from "./rights.ts";

export interface MembersOptions {
  readonly database: ExperimentsDatabase;
  readonly limits: BossLimits;
  /** The number of a user of this machine; undefined for nobody. */
  readonly uidOf: (name: string) => Promise<number | undefined>;
}

export type MemberChange =
  | {
      readonly kind: "add-member" | "set-trust";
      readonly pid: string;
      readonly user: string;
      readonly trust: Trust;
    }
  | { readonly kind: "remove-member"; readonly pid: string; readonly user: string };

/** What the names of users look like on this machine and on most others. */
const namePattern = /^[a-z_][-a-z0-9_.]{0,31}$/i;

export class Members {
  readonly #options: MembersOptions;

  constructor(options: MembersOptions) {
    this.#options = options;
  }

  /** @throws BossError (NO_SUCH_PROJECT), also for who may not see it. */
  list(pid: string, asking: string): readonly Member[] {
    const members = this.#options.database.members(pid);
    if (members === undefined || !this.#may(pid, asking, "see")) throw noSuchProject(pid);
    return members;
  }

  /** @returns the members as they are then. @throws BossError, with nothing changed */
  async change(change: MemberChange, asking: string): Promise<readonly Member[]> {
    const { database, uidOf } = this.#options;
    const { kind, pid, user } = change;
    this.#check(change, asking);
    const isAsked = kind === "add-member" && namePattern.test(user);
    const uid = isAsked ? await uidOf(user) : undefined;
    if (kind === "add-member" && uid === undefined) {
      throw new BossError("NO_SUCH_USER", `${shown(user)} is no user of this machine`);
    }
    database.transaction(() => {
      // Somebody else may have changed the members meanwhile.
      this.#check(change, asking);
      if (uid !== undefined) database.putUser(user, uid);
      database.setTrust(pid, user, kind === "remove-member" ? undefined : change.trust);
    });
    return this.list(pid, asking);
  }

  #check(change: MemberChange, asking: string): void {
    const { kind, pid, user } = change;
    const members = this.list(pid, asking);
    this.#demand(pid, asking);
    const known = members.find((member) => member.user === user);
    if (kind === "add-member") {
      if (known !== undefined) {
        const message = `${user} is a member of ${pid} already; muster project set-trust changes what they may`;
        throw new BossError("WRONG_STATE", message);
      }
      const { membersMax } = this.#options.limits;
      if (members.length < membersMax) return;
      const message = `${pid} has ${members.length} members (limit membersMax); remove one with: muster project remove-member ${pid} USER`;
      throw new BossError("LIMIT", message);
    }
    if (known === undefined) {
      const message = `${shown(user)} is no member of ${pid}; muster project members ${pid} lists them`;
      throw new BossError("NO_SUCH_USER", message);
    }
    const leaders = members.filter(({ trust }) => trust === "leader");
    const stays = kind === "set-trust" && change.trust === "leader";
    if (known.trust !== "leader" || stays || leaders.length > 1) return;
    const message = `${user} is the last leader of ${pid}; make somebody else leader first: muster project set-trust ${pid} USER leader`;
    throw new BossError("LAST_LEADER", message); // M2.
  }

  #may(pid: string, asking: string, action: Action): boolean {
    const actor = this.#options.database.actor(asking, pid);
    return judge(actor, action, pid, null).kind === "allowed";
  }

  /** M1. */
  #demand(pid: string, asking: string): void {
    const judgement = judge(this.#options.database.actor(asking, pid), "set-members", pid, null);
    if (judgement.kind === "refused") throw new BossError("NOT_ALLOWED", judgement.message);
  }
}

function noSuchProject(pid: string): BossError {
  const message = `there is no project ${shown(pid)}; the first muster up --pid NAME makes one`;
  return new BossError("NO_SUCH_PROJECT", message);
}

function shown(name: string): string {
  return JSON.stringify(name.slice(0, 100));
}
