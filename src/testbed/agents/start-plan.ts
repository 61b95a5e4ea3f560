// SPDX-License-Identifier: MIT
// A start that lies ahead, for who may take it back: from the moment it is asked for, also while
// its program is only being loaded. One for each start.

export class StartPlan {
  #isTakenBack = false;
  #revoke: (() => "revoked" | "already fired") | undefined;

  /** It is not to be armed any more. */
  get isTakenBack(): boolean {
    return this.#isTakenBack;
  }

  /** From here on who has armed it knows whether it has fired. */
  armed(revoke: () => "revoked" | "already fired"): void {
    this.#revoke = revoke;
  }

  /** The answer is the truth, and the same however often it is asked. */
  readonly takeBack = (): "revoked" | "already fired" => {
    if (this.#revoke !== undefined) return this.#revoke();
    this.#isTakenBack = true;
    return "revoked";
  };
}
