// SPDX-License-Identifier: MIT
// Goal: the bytes that authenticate a notification are those that the pages say, for any
// notification. Method: an implementation in Python that shares no code with ours gets
// notifications by chance, as JSON, and must come to the same bytes and MACs.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { eventHash } from "../../src/host/event-hash.ts";
import {
  addLegacyHmac,
  authenticate,
  canonicalBytes,
  legacyBytes,
} from "../../src/wire/event/authentication.ts";
import { toJsonNotification } from "../../src/wire/event/json.ts";
import { getOpaque } from "../../src/wire/event/notification.ts";
import { Program } from "../unit/syncd/programs.ts";
import { anyNotification } from "../unit/wire/event-arbitrary.ts";

const script = "test/conformance/independent-events/event_auth.py";
const cases = fc.sample(
  fc.record({
    key: fc.stringMatching(/^[0-9a-f]{32}$/),
    timeUs: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
    nonce: fc.uint8Array({ minLength: 16, maxLength: 16 }),
    notification: anyNotification,
  }),
  { numRuns: 1_000, seed: 7 },
);
const hex = (bytes: Uint8Array | undefined): string => Buffer.from(bytes ?? []).toString("hex");

describe("the independent authentication", () => {
  it("passes its own test", async () => {
    const { stdout } = await new Program("python3", [script, "--selftest"]).ended;
    expect(stdout).toBe("ok\n");
  });

  it("comes to the same bytes and MACs for a thousand notifications", async () => {
    const program = new Program("python3", [script]);
    const lines = cases.map(({ key, timeUs, nonce, notification }) =>
      JSON.stringify({
        ...{ key, time_us: String(timeUs), nonce: hex(nonce) },
        notification: toJsonNotification(notification),
      }),
    );
    program.child.stdin.end(`${lines.join("\n")}\n`);
    const { stdout, stderr } = await program.ended;
    expect(stderr).toBe("");
    const answers = stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(answers).toHaveLength(cases.length);
    for (const [index, { key: text, timeUs, nonce, notification }] of cases.entries()) {
      const secret = { key: new TextEncoder().encode(text), hash: eventHash };
      const auth = getOpaque(authenticate(notification, { timeUs, nonce }, secret), "__auth__");
      expect(answers[index]).toEqual({
        legacy_bytes: hex(legacyBytes(notification)),
        hmac_sha1: hex(getOpaque(addLegacyHmac(notification, secret), "__hmac__")),
        canonical_bytes: hex(canonicalBytes(notification, auth?.slice(0, 25) ?? nonce)),
        auth: hex(auth),
      });
    }
  });
});
