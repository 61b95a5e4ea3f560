// SPDX-License-Identifier: MIT
// Goal: what an experiment's key has made is taken once and nothing else is (A1-A4, V1-V4), and the
// old HMAC is the old one. Method: vectors of an independent implementation, any change to an
// authentic notification, replays at every time and under a naive model, limits at and one past.
// [EMULAB-EVENTS 1.7, 9.27, 10b]
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { eventHash, readEventKey } from "../../../src/host/event-hash.ts";
import {
  addLegacyHmac,
  authenticate,
  checkLegacyHmac,
  findKeyFault,
} from "../../../src/wire/event/authentication.ts";
import { parseNotification } from "../../../src/wire/event/json.ts";
import { keyBytesMax } from "../../../src/wire/event/limits.ts";
import type { Notification } from "../../../src/wire/event/notification.ts";
import {
  createNotification,
  getOpaque,
  int32Attribute,
  opaqueAttribute,
  textAttribute,
  withAttribute,
  withoutAttribute,
} from "../../../src/wire/event/notification.ts";
import type { Verdict } from "../../../src/wire/event/verifier.ts";
import { Verifier } from "../../../src/wire/event/verifier.ts";
import { anyNotification } from "./event-arbitrary.ts";
import { readVectors } from "./vectors.ts";

const key = new TextEncoder().encode("0123456789abcdef0123456789abcdef");
const secret = { key, hash: eventHash };
const windowUs = 60_000_000;
const nowUs = 1_700_000_000_000_000n;

const bare = (extra = 0): Notification =>
  createNotification(
    { expt: "p/e", objname: "prog0", scheduler: 0 },
    { sender: "192.0.2.1", layout: "2011", extra: [int32Attribute("TOKEN", extra)] },
  );
const nonceOf = (number: number): Uint8Array => {
  const nonce = new Uint8Array(16);
  new DataView(nonce.buffer).setUint32(0, number);
  return nonce;
};
const sent = (number: number, timeUs = nowUs, notification = bare()): Notification =>
  authenticate(notification, { timeUs, nonce: nonceOf(number) }, secret);
const verifierOf = (noncesMax = 1_000): Verifier =>
  new Verifier({ experiment: "p/e", ...secret, windowUs, noncesMax });
const reason = (verdict: Verdict): string =>
  verdict.kind === "authentic" ? "authentic" : verdict.reason;

function parsed(json: string): Notification {
  const result = parseNotification(json);
  if (result.kind === "refused") throw new Error(result.message);
  return result.notification;
}

describe("vectors of an independent implementation", () => {
  const rows = readVectors("event", "authentication.md");
  it.each(rows)("%s", (_, text = "", time = "", nonce = "", json = "", sha1 = "", auth = "") => {
    const given = { key: new TextEncoder().encode(text), hash: eventHash };
    const notification = parsed(json);
    const legacy = addLegacyHmac(notification, given);
    expect(Buffer.from(getOpaque(legacy, "__hmac__") ?? []).toString("hex")).toBe(sha1);
    expect(checkLegacyHmac(legacy, given)).toBe("match");
    const authentication = {
      timeUs: BigInt(time),
      nonce: Uint8Array.from(Buffer.from(nonce, "hex")),
    };
    const modern = authenticate(notification, authentication, given);
    expect(Buffer.from(getOpaque(modern, "__auth__") ?? []).toString("hex")).toBe(auth);
  });

  it("show what the old form cannot tell apart and the new one does", () => {
    const find = (title: string): readonly string[] => rows.find(([what]) => what === title) ?? [];
    const one = find("one value of two, for A1");
    const other = find("another value of two, for A1");
    expect(one[5]).toBe(other[5]);
    expect(one[6]).not.toBe(other[6]);
    const fresh = find("a fresh notification of 2011");
    const swapped = find("two attributes changed places");
    expect(fresh[5]).not.toBe(swapped[5]);
    expect(fresh[6]).toBe(swapped[6]);
  });
});

describe("checkLegacyHmac()", () => {
  it("finds a HMAC missing, made with another key, or over another order", () => {
    const made = addLegacyHmac(bare(), secret);
    expect(checkLegacyHmac(made, secret)).toBe("match");
    expect(checkLegacyHmac(bare(), secret)).toBe("missing");
    expect(checkLegacyHmac(made, { ...secret, key: key.slice(1) })).toBe("mismatch");
    const [first, second, third, ...rest] = made.attributes;
    const swapped = { attributes: [first!, third!, second!, ...rest] };
    expect(checkLegacyHmac(swapped, secret)).toBe("mismatch");
    const short = opaqueAttribute("__hmac__", Uint8Array.of(1));
    expect(checkLegacyHmac(withAttribute(made, short), secret)).toBe("mismatch");
  });
});

describe("Verifier", () => {
  it("V1 takes a notification once", () => {
    const verifier = verifierOf();
    expect(verifier.verify(sent(1), nowUs)).toEqual({ kind: "authentic" });
    expect(reason(verifier.verify(sent(1), nowUs))).toBe("replayed");
    expect(reason(verifier.verify(sent(2), nowUs))).toBe("authentic");
  });

  it("A2 takes it in whatever order its attributes come", () => {
    const reversed = { attributes: sent(1).attributes.toReversed() };
    expect(reason(verifierOf().verify(reversed, nowUs))).toBe("authentic");
  });

  it("says what is wrong with others, and what to do", () => {
    const other = authenticate(
      withAttribute(bare(), textAttribute("EXPT", "p/other")),
      { timeUs: nowUs, nonce: nonceOf(1) },
      secret,
    );
    const value = getOpaque(sent(1), "__auth__") ?? new Uint8Array();
    const withAuth = (bytes: Uint8Array): Notification =>
      withAttribute(bare(), opaqueAttribute("__auth__", bytes));
    const cases: readonly (readonly [Notification, string])[] = [
      [bare(), "missing"],
      [addLegacyHmac(bare(), secret), "missing"],
      [withAttribute(bare(), textAttribute("__auth__", "x")), "missing"],
      [withAuth(value.with(0, 2)), "unreadable"],
      [withAuth(value.slice(1)), "unreadable"],
      [withAuth(new Uint8Array()), "unreadable"],
      [other, "other-experiment"],
      [withoutAttribute(sent(1), "EXPT"), "other-experiment"],
      [withAttribute(sent(1), int32Attribute("TOKEN", 1)), "mismatch"],
      [withAuth(value.with(56, (value[56] ?? 0) ^ 1)), "mismatch"],
      [withAuth(value.with(8, (value[8] ?? 0) ^ 1)), "mismatch"],
      [withAuth(value.with(20, (value[20] ?? 0) ^ 1)), "mismatch"],
    ];
    const verifier = verifierOf();
    for (const [notification, expected] of cases) {
      const verdict = verifier.verify(notification, nowUs);
      expect(reason(verdict)).toBe(expected);
      expect(verdict).toMatchObject({ message: expect.stringMatching(/; \w/) });
    }
    // V4: none of them used up a nonce.
    expect(reason(verifier.verify(sent(1), nowUs))).toBe("authentic");
  });

  it("takes what was sent within the window and not a microsecond outside", () => {
    const span = BigInt(windowUs);
    const verdictOf = (timeUs: bigint): string =>
      reason(verifierOf().verify(sent(1, timeUs), nowUs));
    expect(verdictOf(nowUs - span)).toBe("authentic");
    expect(verdictOf(nowUs - span - 1n)).toBe("expired");
    expect(verdictOf(nowUs + span)).toBe("authentic");
    expect(verdictOf(nowUs + span + 1n)).toBe("early");
  });

  it("remembers as many nonces as the limit; one more narrows the window, and lets nothing in", () => {
    const verifier = verifierOf(3);
    for (const number of [1, 2, 3]) verifier.verify(sent(number, nowUs + BigInt(number)), nowUs);
    expect(reason(verifier.verify(sent(1, nowUs + 1n), nowUs))).toBe("replayed");
    const fine = sent(9, nowUs + 1n, bare(1));
    expect(reason(verifier.verify(sent(4, nowUs + 4n), nowUs))).toBe("authentic");
    expect(reason(verifier.verify(sent(1, nowUs + 1n), nowUs))).toBe("expired");
    expect(reason(verifier.verify(fine, nowUs))).toBe("expired");
    expect(reason(verifier.verify(sent(2, nowUs + 2n), nowUs))).toBe("replayed");
  });

  it("V2 takes nothing twice, whatever the clock does and however small its memory is", () => {
    const steps = fc.array(
      fc.record({
        number: fc.nat(6),
        // In halves of the window.
        clock: fc.integer({ min: -8, max: 8 }),
        sentAt: fc.integer({ min: -8, max: 8 }),
      }),
      { maxLength: 40 },
    );
    fc.assert(
      fc.property(steps, fc.integer({ min: 1, max: 8 }), (all, noncesMax) => {
        const verifier = verifierOf(noncesMax);
        const taken = new Set<string>();
        for (const { number, clock, sentAt } of all) {
          const half = BigInt(windowUs) / 2n;
          const timeUs = nowUs + BigInt(sentAt) * half;
          // One nonce, one time: who holds the key never uses a nonce twice.
          const nonce = number * 100 + sentAt + 8;
          const verdict = verifier.verify(sent(nonce, timeUs), nowUs + BigInt(clock) * half);
          if (verdict.kind !== "authentic") continue;
          expect(taken.has(`${nonce}`)).toBe(false);
          taken.add(`${nonce}`);
        }
      }),
    );
  });

  it("A1 takes no notification that says anything else", () => {
    const named = anyNotification.map((notification) =>
      withAttribute(notification, textAttribute("EXPT", "p/e")),
    );
    const unauthenticated = (notification: Notification): Notification => {
      const names = ["__auth__", "__hmac__", "__elvin_hmac__", "___elvin_ordered___"];
      return names.reduce(withoutAttribute, notification);
    };
    const canon = (notification: Notification): unknown =>
      new Map(notification.attributes.map(({ name, value }) => [name, value]));
    fc.assert(
      fc.property(named, named, (one, other) => {
        const value = getOpaque(sent(1, nowUs, one), "__auth__") ?? new Uint8Array();
        const forged = withAttribute(other, opaqueAttribute("__auth__", value));
        const isSame = equals(canon(unauthenticated(one)), canon(unauthenticated(other)));
        expect(reason(verifierOf().verify(forged, nowUs))).toBe(isSame ? "authentic" : "mismatch");
      }),
    );
  });
});

function equals(a: unknown, b: unknown): boolean {
  try {
    expect(a).toEqual(b);
    return true;
  } catch {
    return false;
  }
}

describe("keys", () => {
  const folder = mkdtempSync(join(tmpdir(), "muster-key-"));
  afterAll(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "eventkey");

  it("are all bytes of their file, a newline included", () => {
    writeFileSync(file, "abc\n");
    expect(readEventKey(file)).toEqual({ kind: "key", bytes: new TextEncoder().encode("abc\n") });
  });

  it("are refused when the file is empty, missing, or longer than the limit", () => {
    writeFileSync(file, "");
    expect(readEventKey(file)).toMatchObject({ message: expect.stringContaining("empty") });
    writeFileSync(file, new Uint8Array(keyBytesMax));
    expect(readEventKey(file).kind).toBe("key");
    writeFileSync(file, new Uint8Array(keyBytesMax + 1));
    expect(readEventKey(file)).toMatchObject({ message: expect.stringContaining("at most") });
    expect(readEventKey("/dev/zero").kind).toBe("refused");
    expect(readEventKey(join(folder, "none"))).toMatchObject({
      message: expect.stringContaining("ENOENT"),
    });
    expect(findKeyFault(key)).toBeUndefined();
  });
});
