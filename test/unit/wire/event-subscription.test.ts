// SPDX-License-Identifier: MIT
// Goal: a subscription gets what it asks for and nothing else (M1-M3), its text is the old one, and
// subjects of NATS lose nothing of it (J1). Method: cases of the specification, a naive broker that
// matches subjects token by token, limits at and one past. [EMULAB-EVENTS 1.4, 10a]
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formatExpression, parseExpression } from "../../../src/wire/event/expression.ts";
import {
  expressionBytesMax,
  subjectsPerSubscriptionMax,
  subjectTokenCharsMax,
} from "../../../src/wire/event/limits.ts";
import type { Address, Notification } from "../../../src/wire/event/notification.ts";
import { createNotification, withoutAttribute } from "../../../src/wire/event/notification.ts";
import {
  formatCoveringSubject,
  formatSubject,
  formatSubjectFilters,
  formatToken,
} from "../../../src/wire/event/subjects.ts";
import type { Filter } from "../../../src/wire/event/subscription.ts";
import { matches, parseFilter } from "../../../src/wire/event/subscription.ts";
import { addressedNotification, anySubscription } from "./event-arbitrary.ts";
import { readVectors } from "./vectors.ts";

function filterOf(address: Address | undefined): Filter {
  const parsed = parseFilter(address);
  if (parsed.kind === "refused") throw new Error(parsed.message);
  return parsed.filter;
}

const notificationTo = (address: Partial<Address>): Notification =>
  createNotification(
    { scheduler: 0, ...address },
    { sender: "192.0.2.1", layout: "2011", extra: [] },
  );

const isMatch = (subscription: Partial<Address>, notification: Notification): boolean =>
  matches(filterOf({ scheduler: 0, ...subscription }), notification);

describe("matches()", () => {
  it("M1 takes * for a name, in subscriptions and in notifications", () => {
    const toAll = notificationTo({ host: "*" });
    const toOne = notificationTo({ host: "192.0.2.1" });
    expect(isMatch({ host: "*" }, toOne)).toBe(false);
    expect(isMatch({ host: "192.0.2.1" }, toAll)).toBe(false);
    expect(isMatch({ host: "*,192.0.2.1" }, toOne)).toBe(true);
    expect(isMatch({ host: "*,192.0.2.1" }, toAll)).toBe(true);
    expect(isMatch({}, toOne)).toBe(true);
    expect(isMatch({ host: "192.0.2.*" }, toOne)).toBe(false);
  });

  it("M2 wants what is set to be there", () => {
    const bare = withoutAttribute(notificationTo({ host: "h" }), "HOST");
    expect(isMatch({ host: "h" }, bare)).toBe(false);
    expect(isMatch({ host: "*" }, bare)).toBe(false);
    expect(isMatch({}, bare)).toBe(true);
  });

  it("does without the event types that it excepts, whatever the rest says", () => {
    const subscription = { objname: "a", exceptEventtypes: "COMPLETE, REFUSED" };
    const of = (eventtype: string): Notification => notificationTo({ objname: "a", eventtype });
    expect(isMatch(subscription, of("COMPLETE"))).toBe(false);
    expect(isMatch(subscription, of("REFUSED"))).toBe(false);
    expect(isMatch(subscription, of("START"))).toBe(true);
    expect(isMatch(subscription, notificationTo({ objname: "a" }))).toBe(true);
    expect(isMatch({ exceptEventtypes: "" }, of("START"))).toBe(true);
    const long = { exceptEventtypes: "x".repeat(expressionBytesMax + 1), scheduler: 0 } as const;
    expect(parseFilter(long)).toMatchObject({ code: "too-large" });
    expect(formatExpression({ ...subscription, scheduler: 0 }).kind).toBe("refused");
  });

  it("M3 keeps requests to the scheduler from everybody else, and the other way round", () => {
    const request = notificationTo({ scheduler: 1 });
    expect(isMatch({}, request)).toBe(false);
    expect(isMatch({ scheduler: 1 }, request)).toBe(true);
    expect(isMatch({ scheduler: 1 }, notificationTo({}))).toBe(false);
    expect(isMatch({}, withoutAttribute(request, "SCHEDULER"))).toBe(false);
    expect(matches(filterOf(undefined), request)).toBe(true);
    expect(matches(filterOf(undefined), { attributes: [] })).toBe(true);
  });

  it("reads lists parted by commas and blanks, and compares whole names with their case", () => {
    const subscription = { objname: "link0,link0-nodeA  cbr0", eventtype: "UP,,DOWN" };
    for (const objname of ["link0", "link0-nodeA", "cbr0"]) {
      expect(isMatch(subscription, notificationTo({ objname, eventtype: "DOWN" }))).toBe(true);
    }
    for (const objname of ["link", "link0-nodeB", "Link0", "link0,link0-nodeA"]) {
      expect(isMatch(subscription, notificationTo({ objname, eventtype: "UP" }))).toBe(false);
    }
    expect(isMatch(subscription, notificationTo({ objname: "link0", eventtype: "SET" }))).toBe(
      false,
    );
  });
});

describe("parseFilter()", () => {
  it("refuses lists without names, and names with NUL", () => {
    for (const objname of ["", " ", ",", "a\0b"]) {
      expect(parseFilter({ objname, scheduler: 0 })).toMatchObject({ code: "invalid" });
    }
  });

  it("takes lists as long as the limit and not one byte more", () => {
    const objname = "x".repeat(expressionBytesMax);
    expect(parseFilter({ objname, scheduler: 0 }).kind).toBe("filter");
    expect(parseFilter({ objname, expt: "p", scheduler: 0 })).toMatchObject({ code: "too-large" });
  });
});

describe("expressions", () => {
  it.each(readVectors("event", "expressions.md"))("%s", (_, cell = "", oneWay = "", text = "") => {
    const address = (JSON.parse(cell) ?? undefined) as Address | undefined;
    expect(formatExpression(address)).toEqual({ kind: "expression", text });
    if (oneWay === "no") expect(parseExpression(text)).toEqual({ kind: "address", address });
  });

  it("say the same when they are read back", () => {
    fc.assert(
      fc.property(anySubscription, addressedNotification, (address, notification) => {
        const formatted = formatExpression(address);
        if (formatted.kind === "refused") return;
        const parsed = parseExpression(formatted.text);
        if (parsed.kind === "refused") throw new Error(parsed.message);
        expect(matches(filterOf(parsed.address), notification)).toBe(
          matches(filterOf(address), notification),
        );
      }),
    );
  });

  it("may be as long as the limit and not one byte longer", () => {
    const rest = '(OBJNAME == "") && SCHEDULER == 0'.length;
    const objname = "x".repeat(expressionBytesMax - rest);
    const formatted = formatExpression({ objname, scheduler: 0 });
    if (formatted.kind === "refused") throw new Error(formatted.message);
    expect(formatted.text).toHaveLength(expressionBytesMax);
    expect(parseExpression(formatted.text).kind).toBe("address");
    expect(formatExpression({ objname: `${objname}x`, scheduler: 0 })).toMatchObject({
      code: "too-large",
    });
    expect(parseExpression(`${formatted.text} `)).toMatchObject({ code: "too-large" });
  });

  it("cannot be ended by a name", () => {
    const objname = 'x")||(SITE=="*';
    expect(formatExpression({ objname, scheduler: 0 })).toMatchObject({ kind: "refused" });
  });

  it.each([
    "SCHEDULER == 2",
    '(EXPT == "p/e")',
    '(EXPT == "p/e") &&',
    "&& SCHEDULER == 0",
    '(EXPT == "p/e") || SCHEDULER == 0',
    '(EXPT == "p/e" && OBJNAME == "x") && SCHEDULER == 0',
    '(EXPT == "p/e" || OBJNAME == "x") && SCHEDULER == 0',
    '(EXPT == "a") && (EXPT == "b") && SCHEDULER == 0',
    "SCHEDULER == 0 && SCHEDULER == 0",
    '(COLOUR == "red") && SCHEDULER == 0',
    '(EXPT == "a b") && SCHEDULER == 0',
    'EXPT == "a" && SCHEDULER == 0',
    "require(EXPT)",
  ])("that say more than a subscription are refused: %s", (text) => {
    expect(parseExpression(text)).toMatchObject({ kind: "refused" });
  });

  it("are read whatever the blanks and the order are", () => {
    expect(parseExpression(' SCHEDULER==1&&( EXPT=="p/e"||EXPT == "q" ) ')).toEqual({
      kind: "address",
      address: { expt: "p/e,q", scheduler: 1 },
    });
  });

  it("never throw, whatever they are", () => {
    const tokens = ["(", ")", "&&", "||", "==", '"', "EXPT", "SCHEDULER", "0", " ", "x"];
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...tokens)), (parts) => {
        parseExpression(parts.join(""));
      }),
    );
  });
});

/** What a NATS server does with a subject and the subject of a subscription. */
function natsMatches(filter: string, subject: string): boolean {
  const wanted = filter.split(".");
  const tokens = subject.split(".");
  if (wanted.at(-1) === ">") {
    return tokens.length >= wanted.length && wanted.slice(0, -1).every((w, i) => w === tokens[i]);
  }
  return wanted.length === tokens.length && wanted.every((w, i) => w === "*" || w === tokens[i]);
}

describe("subjects", () => {
  it("J1 bring what a subscription matches through exactly one of its subjects", () => {
    let matched = 0;
    fc.assert(
      fc.property(anySubscription, addressedNotification, (address, notification) => {
        const filter = filterOf(address);
        const subject = formatSubject("m.e", notification);
        const hits = formatSubjectFilters("m.e", filter).filter((f) => natsMatches(f, subject));
        expect(hits.length).toBeLessThanOrEqual(1);
        if (!matches(filter, notification)) return;
        matched += 1;
        expect(hits).toHaveLength(1);
        expect(natsMatches(formatCoveringSubject("m.e", filter), subject)).toBe(true);
      }),
      { numRuns: 5_000 },
    );
    expect(matched).toBeGreaterThan(400);
  });

  it("are ones that a server takes", () => {
    fc.assert(
      fc.property(addressedNotification, (notification) => {
        const subject = formatSubject("m.e", notification);
        expect(subject.split(".")).toHaveLength(11);
        expect(subject).toMatch(/^[\x21-\x7e]+$/);
        expect(subject).not.toMatch(/[*>]|\.\.|\.$/);
        // The line of a server's protocol has 4096 bytes.
        expect(subject.length).toBeLessThan(2_048);
      }),
    );
  });

  it("hold the tuple in a fixed order", () => {
    const address = { expt: "p/e", objtype: "LINK", objname: "l.0", eventtype: "UP" };
    expect(formatSubject("m", notificationTo(address))).toBe(
      "m.0.p/e.LINK.l%2E0.UP.%2A.%2A.%2A.%2A",
    );
    expect(formatSubjectFilters("m", filterOf({ ...address, host: "*,h", scheduler: 0 }))).toEqual([
      "m.0.p/e.LINK.l%2E0.UP.%2A.*.*.*",
      "m.0.p/e.LINK.l%2E0.UP.h.*.*.*",
    ]);
    expect(formatSubjectFilters("m", filterOf(undefined))).toEqual(["m.>"]);
    expect(formatCoveringSubject("m", filterOf({ ...address, host: "*,h", scheduler: 0 }))).toBe(
      "m.0.p/e.LINK.l%2E0.UP.*.*.*.*",
    );
    expect(formatCoveringSubject("m", filterOf(undefined))).toBe("m.>");
  });

  it("are as many as the limit and not one more: then a field is left to the receiver", () => {
    const list = (count: number): string => Array.from({ length: count }, (_, n) => `n${n}`).join();
    const count = (objname: string): number =>
      formatSubjectFilters("m", filterOf({ objname, scheduler: 0 })).length;
    expect(count(list(subjectsPerSubscriptionMax))).toBe(subjectsPerSubscriptionMax);
    expect(count(list(subjectsPerSubscriptionMax + 1))).toBe(1);
  });

  it("J2 keep values apart, up to the length of a token", () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 13 }), fc.string({ maxLength: 13 }), (a, b) => {
        fc.pre(a.isWellFormed() && b.isWellFormed());
        expect(formatToken(a) === formatToken(b)).toBe(a === b);
      }),
    );
    expect([undefined, "", "%none", "%empty"].map(formatToken)).toEqual([
      "%none",
      "%empty",
      "%25none",
      "%25empty",
    ]);
    const long = "x".repeat(subjectTokenCharsMax);
    expect(formatToken(long)).toBe(long);
    expect(formatToken(`${long}1`)).toBe(formatToken(`${long}2`));
    expect(formatToken(`${long}1`)).not.toBe(formatToken(long));
  });
});
