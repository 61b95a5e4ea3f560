// SPDX-License-Identifier: MIT
// Goal: a server that starts while others publish takes no message for missing that was published
// after it had asked what is there; and says so where one is. Method: messages in memory, of which
// more are named while they are asked for.
import { describe, expect, it } from "vitest";
import { MemoryPayloads } from "../../../src/engine/payloads.ts";
import { settlePayloads } from "../../../src/host/settle-payloads.ts";

const message = new Uint8Array(3);

/** Written by another server; `lastId` is what was known when it was asked. */
class SharedPayloads extends MemoryPayloads {
  known = 0;
  readonly #onAsked: () => Promise<void>;

  constructor(onAsked: () => Promise<void>) {
    super();
    this.#onAsked = onAsked;
  }

  override get lastId(): number {
    return this.known;
  }

  async refresh(): Promise<void> {
    this.known = super.lastId;
    await this.#onAsked();
  }
}

describe("settlePayloads()", () => {
  it("lets others publish while it asks what is there", async () => {
    const named: number[] = [];
    const publish = async (): Promise<void> => void named.push((await payloads.write(message)).id);
    const payloads = new SharedPayloads(publish);
    await publish();
    await settlePayloads(payloads, () => named);
    expect([named, payloads.known, payloads.size]).toEqual([[1, 2], 1, 2]);
  });

  it("refuses a log that names what is not there", async () => {
    const payloads = new SharedPayloads(() => Promise.resolve());
    await payloads.write(message);
    const settled = settlePayloads(payloads, () => [1, 7]);
    await expect(settled).rejects.toThrow("has messages up to 7, its topics only up to 1");
    expect(payloads.size).toBe(1);
  });
});
