// SPDX-License-Identifier: MIT
// The digests of a core's state, computed once for all who ask behind the same entry: each is a
// walk over all of the state, and what changes it is an entry.
import type { Service } from "../core/service.ts";
import type { StateDigests } from "../core/state-digest.ts";

export class DigestOnce {
  #sequence = -1;
  #digests: StateDigests | undefined;

  of(core: Service): StateDigests {
    if (this.#digests === undefined || this.#sequence !== core.sequence) {
      this.#digests = core.digests();
      this.#sequence = core.sequence;
    }
    return this.#digests;
  }
}
