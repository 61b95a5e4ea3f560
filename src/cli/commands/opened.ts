// SPDX-License-Identifier: MIT
// What `muster serve` holds of each thing it has opened: doors, buses, links to other servers.

/** Something that is open. */
export interface Opened {
  readonly line: string;
  /** Takes nobody new from here on; absent where nobody waits. */
  readonly drain?: () => void;
  readonly close: () => Promise<void>;
}
