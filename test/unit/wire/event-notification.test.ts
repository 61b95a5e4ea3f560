// SPDX-License-Identifier: MIT
// Goal: notifications have the attributes of the old library in its order, keep it when they are
// changed, have one JSON form, and are refused when they could not be sent. Method: the layouts
// from the specification, vectors in both directions, round trips, broken texts, limits at and one
// past. [EMULAB-EVENTS 1]
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  formatNotification,
  fromJsonNotification,
  parseNotification,
  toJsonNotification,
} from "../../../src/wire/event/json.ts";
import {
  attributeNameBytesMax,
  attributesMax,
  notificationBytesMax,
  notificationJsonBytesMax,
} from "../../../src/wire/event/limits.ts";
import {
  eventTypeCodes,
  eventTypes,
  objectTypeCodes,
  objectTypes,
  objectTypes2004,
  triggerTypeCodes,
  verbs2004,
} from "../../../src/wire/event/names.ts";
import type { Attribute, Notification } from "../../../src/wire/event/notification.ts";
import {
  addressOf,
  createNotification,
  findNotificationFault,
  firingTimeOf,
  getInt32,
  getInt64,
  getOpaque,
  getReal64,
  getText,
  int32Attribute,
  int64Attribute,
  notificationBytes,
  opaqueAttribute,
  real64Attribute,
  textAttribute,
  toScheduleRequest,
  withAttribute,
  withoutAttribute,
} from "../../../src/wire/event/notification.ts";
import { anyNotification } from "./event-arbitrary.ts";
import { readVectors } from "./vectors.ts";

const start = { expt: "p/e", objtype: "PROGRAM", objname: "prog0", eventtype: "START" } as const;
const create = (layout: "2011" | "2004", extra: readonly Attribute[] = []): Notification =>
  createNotification({ ...start, scheduler: 0 }, { sender: "192.0.2.1", layout, extra });
const namesOf = ({ attributes }: Notification): readonly string[] =>
  attributes.map(({ name }) => name);

describe("createNotification()", () => {
  it("writes the attributes of 2011 in their order, unset fields as *", () => {
    const { attributes } = create("2011", [textAttribute("ARGS", "TIMEOUT=5")]);
    expect(attributes.map(({ name, value }) => [name, value.value])).toEqual([
      ["___VERSION___", "1.0"],
      ["SITE", "*"],
      ["EXPT", "p/e"],
      ["GROUP", "*"],
      ["HOST", "*"],
      ["OBJTYPE", "PROGRAM"],
      ["OBJNAME", "prog0"],
      ["EVENTTYPE", "START"],
      ["TIMELINE", "*"],
      ["SCHEDULER", 0],
      ["___SENDER___", "192.0.2.1"],
      ["ARGS", "TIMEOUT=5"],
    ]);
  });

  it("leaves out version and timeline in the layout of 2004", () => {
    const order = ["SITE", "EXPT", "GROUP", "HOST", "OBJTYPE", "OBJNAME", "EVENTTYPE", "SCHEDULER"];
    expect(namesOf(create("2004"))).toEqual([...order, "___SENDER___"]);
  });

  it("is undone by addressOf()", () => {
    expect(addressOf(create("2011"))).toEqual({ ...start, scheduler: 0 });
    expect(addressOf({ attributes: [] })).toEqual({ scheduler: 0 });
  });
});

describe("attributes", () => {
  const bytes = Uint8Array.of(1, 2);
  const all: Notification = {
    attributes: [
      int32Attribute("i", -5),
      int64Attribute("l", 100_000_000_000n),
      real64Attribute("r", 1.23),
      textAttribute("s", "foo"),
      opaqueAttribute("o", bytes),
    ],
  };

  it("are read by their type and by no other", () => {
    const getters = [getInt32, getInt64, getReal64, getText, getOpaque];
    const values = [-5, 100_000_000_000n, 1.23, "foo", bytes];
    for (const [index, name] of ["i", "l", "r", "s", "o"].entries()) {
      for (const [getter, get] of getters.entries()) {
        expect(get(all, name)).toEqual(getter === index ? values[index] : undefined);
      }
    }
  });

  it("keep their place when they are changed, and come last when they are new", () => {
    const changed = withAttribute(create("2011"), textAttribute("HOST", "192.0.2.9"));
    expect(namesOf(changed)).toEqual(namesOf(create("2011")));
    expect(getText(changed, "HOST")).toBe("192.0.2.9");
    const added = withAttribute(changed, int32Attribute("TOKEN", 7));
    expect(namesOf(added).at(-1)).toBe("TOKEN");
    expect(withoutAttribute(added, "TOKEN")).toEqual(changed);
  });

  it("of a request to the scheduler come as the old library put them", () => {
    const at = { seconds: 1_700_000_005, microseconds: 250_000 };
    const request = toScheduleRequest(create("2011"), at);
    expect(namesOf(request).slice(-4)).toEqual([
      "___SENDER___",
      "SCHEDULER",
      "time_sec",
      "time_usec",
    ]);
    expect(addressOf(request).scheduler).toBe(1);
    expect(firingTimeOf(request)).toEqual(at);
    expect(firingTimeOf(create("2011"))).toBeUndefined();
    expect(toScheduleRequest(request, at)).toEqual(request);
  });

  it("refuse numbers with more bits than they have", () => {
    expect(() => int32Attribute("i", 2 ** 31)).toThrow("32 bits");
    expect(() => int32Attribute("i", 0.5)).toThrow("32 bits");
    expect(() => int64Attribute("l", 2n ** 63n)).toThrow("64 bits");
  });
});

/** `"NAME" type value; ...` of the vectors. */
function readAttributes(cell: string): Notification {
  const items = cell.split("; ").filter((item) => item !== "");
  return {
    attributes: items.map((item) => {
      const [, name = "", type, value = ""] = /^("(?:[^"\\]|\\.)*") (\w+) ?(.*)$/.exec(item) ?? [];
      const named = JSON.parse(name) as string;
      if (type === "string") return textAttribute(named, JSON.parse(value));
      if (type === "int32") return int32Attribute(named, Number(value));
      if (type === "int64") return int64Attribute(named, BigInt(value));
      if (type === "real64") return real64Attribute(named, Number(value));
      return opaqueAttribute(named, Uint8Array.from(Buffer.from(value, "hex")));
    }),
  };
}

describe("the JSON form", () => {
  it.each(readVectors("event", "json.md"))("is read and written: %s", (_, cell = "", json = "") => {
    const notification = readAttributes(cell);
    expect(parseNotification(json)).toEqual({ kind: "notification", notification });
    expect(formatNotification(notification)).toBe(JSON.stringify(JSON.parse(json)));
  });

  it.each(readVectors("event", "json-refused.md"))("refuses: %s", (_, code = "", json = "") => {
    expect(parseNotification(json)).toMatchObject({ kind: "refused", code });
  });

  it("brings back any notification", () => {
    fc.assert(
      fc.property(anyNotification, (notification) => {
        const parsed = parseNotification(formatNotification(notification));
        expect(parsed).toEqual({ kind: "notification", notification });
      }),
    );
  });

  it("never throws, and takes nothing that it would write otherwise", () => {
    fc.assert(
      fc.property(fc.oneof(fc.jsonValue(), fc.anything()), (json) => {
        const parsed = fromJsonNotification(json);
        if (parsed.kind === "refused") return;
        expect(toJsonNotification(parsed.notification)).toEqual(json);
      }),
    );
  });

  it("is read whole or not at all: no beginning of it is a notification", () => {
    fc.assert(
      fc.property(anyNotification, fc.nat(), (notification, cut) => {
        const text = formatNotification(notification);
        const parsed = parseNotification(text.slice(0, cut % text.length));
        expect(parsed).toMatchObject({ kind: "refused", code: "invalid" });
      }),
    );
  });

  it("survives a changed character: refused, or another notification that is written so", () => {
    const garbled = fc.tuple(anyNotification, fc.nat(), fc.constantFrom(...'0"\\{}[],:ex\ud800'));
    fc.assert(
      fc.property(garbled, ([notification, place, char]) => {
        const text = formatNotification(notification);
        const at = place % text.length;
        const parsed = parseNotification(text.slice(0, at) + char + text.slice(at + 1));
        if (parsed.kind === "refused") return;
        const again = parseNotification(formatNotification(parsed.notification));
        expect(again).toEqual(parsed);
      }),
    );
  });

  it("is refused before it is read when it is too long", () => {
    const text = '{"attributes":[]}'.padEnd(notificationJsonBytesMax);
    expect(parseNotification(text)).toMatchObject({ kind: "notification" });
    expect(parseNotification(`${text} `)).toMatchObject({ kind: "refused", code: "too-large" });
  });

  it("survives lists in lists without end", () => {
    const deep = `${"[".repeat(500_000)}${"]".repeat(500_000)}`;
    expect(parseNotification(deep)).toMatchObject({ kind: "refused" });
    const inside = `{"attributes":[${deep.slice(100, -100)}]}`;
    expect(parseNotification(inside)).toMatchObject({ kind: "refused" });
  });
});

describe("findNotificationFault()", () => {
  const code = (attributes: readonly Attribute[]): string | undefined =>
    findNotificationFault({ attributes })?.code;

  it("takes as many attributes as the limit and not one more", () => {
    const many = Array.from({ length: attributesMax }, (_, n) => int32Attribute(`n${n}`, n));
    expect(code(many)).toBeUndefined();
    expect(code([...many, int32Attribute("m", 1)])).toBe("too-large");
  });

  it("takes names as long as the limit and not one byte more", () => {
    expect(code([int32Attribute("n".repeat(attributeNameBytesMax), 1)])).toBeUndefined();
    expect(code([int32Attribute(`é${"n".repeat(attributeNameBytesMax - 1)}`, 1)])).toBe(
      "too-large",
    );
  });

  it("takes as many bytes as the limit and not one more", () => {
    const largest = textAttribute("a", "x".repeat(notificationBytesMax - 1));
    expect(notificationBytes({ attributes: [largest] })).toBe(notificationBytesMax);
    expect(code([largest])).toBeUndefined();
    expect(code([textAttribute("ab", "x".repeat(notificationBytesMax - 1))])).toBe("too-large");
  });

  it("lets nothing through that the JSON form could not carry", () => {
    const size = notificationBytesMax - 1;
    const worst = { attributes: [textAttribute("a", "\u0001".repeat(size))] };
    expect(parseNotification(formatNotification(worst)).kind).toBe("notification");
    const binary = { attributes: [opaqueAttribute("a", new Uint8Array(size))] };
    expect(parseNotification(formatNotification(binary)).kind).toBe("notification");
  });

  it("refuses values that are not what they say", () => {
    expect(code([{ name: "a", value: { kind: "int32", value: 2 ** 31 } }])).toBe("invalid");
    expect(code([{ name: "a", value: { kind: "int64", value: 2n ** 63n } }])).toBe("invalid");
    expect(code([textAttribute("a", "x\0")])).toBe("invalid");
    expect(code([textAttribute("a", "\udc00")])).toBe("invalid");
  });
});

describe("names", () => {
  it("are those of the tables", () => {
    expect(objectTypes).toHaveLength(21);
    expect(objectTypes2004.at(-1)).toBe("CANARYD");
    expect(new Set(eventTypes).size).toBe(eventTypes.length);
    expect(eventTypes).toHaveLength(28 + 10 + 7 + 1);
    expect(verbs2004.join(" ")).toBe(
      "START STOP KILL ISUP REBOOT UP DOWN MODIFY SET RESET HALT SWAPOUT NSESWAP NSEEVENT REPORT ALERT",
    );
    expect([objectTypeCodes.indexOf("SLOTHD"), objectTypeCodes.indexOf("BGMON")]).toEqual([9, 17]);
    expect([eventTypeCodes.indexOf("COMPLETE"), eventTypeCodes.indexOf("STOPRUN")]).toEqual([
      17, 25,
    ]);
    expect(triggerTypeCodes.get(2)).toBe("SWAPOUT");
  });
});
